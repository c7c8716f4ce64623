import Kernels

extension Decoder {
  /// Numbers that were trained; a head that is the word embeddings counts once.
  package var parameters: Int {
    let layers = [projectionIn, projectionOut].compactMap { $0 }.reduce(0) { $0 + $1.parameters }
    let norms = [embeddingNorm, finalNorm].compactMap { $0 }.reduce(0) { $0 + $1.parameters }
    let embeddings = wordEmbeddings.count + (positionEmbeddings?.count ?? 0)
    let headWeight = head.weight.isSame(as: wordEmbeddings) ? 0 : head.weight.count
    return embeddings + layers + norms + blocks.reduce(0) { $0 + $1.parameters } + headWeight + head.bias.count
  }
}

extension Block {
  fileprivate var parameters: Int {
    let layers = [query, key, value, attentionOutput, up, down] + [gate].compactMap { $0 }
    let norms = [
      attentionNorm, queryNorm, keyNorm, attentionOutputNorm, feedForwardNorm, feedForwardOutputNorm,
    ].compactMap { $0 }
    return layers.reduce(0) { $0 + $1.parameters } + norms.reduce(0) { $0 + $1.parameters }
  }
}

extension LinearLayer {
  fileprivate var parameters: Int { weight.count + bias.count }
}

extension NormWeights {
  fileprivate var parameters: Int { gain.count + bias.count }
}

extension Weight {
  /// How many numbers it holds.
  var count: Int { inputs * outputs }
}
