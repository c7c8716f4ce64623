import Kernels
import System

extension Decoder {
  /// Its linear layers, without the head to the vocabulary.
  private var innerLayers: [LinearLayer] {
    blocks.flatMap(\.layers) + [embedding.projection, head.projection].compactMap { $0 }
  }

  /// Number of parameters; a head tied to the word embeddings counts once.
  package var parameters: Int {
    let norms = blocks.flatMap(\.norms) + [embedding.norm, head.norm].compactMap { $0 }
    let layers = innerLayers.reduce(0) { $0 + $1.weight.count + $1.bias.count }
    let embeddings = embedding.words.count + (embedding.positions?.count ?? 0)
    let isTied = head.vocabulary.weight.isSame(as: embedding.words)
    return embeddings + layers + norms.reduce(0) { $0 + $1.gain.count + $1.bias.count }
      + (isTied ? 0 : head.vocabulary.weight.count) + head.vocabulary.bias.count
  }

  /// A hash of the shapes of all layers and of some of their numbers: another model has another one.
  package var fingerprint: String {
    var fingerprint = Fingerprint()
    for weight in [embedding.words, head.vocabulary.weight] + innerLayers.map(\.weight) {
      fingerprint.add(weight.inputs)
      fingerprint.add(weight.outputs)
      for value in weight.sample { fingerprint.add(value) }
    }
    return fingerprint.text
  }

  /// Bytes of the weights that every step reads. It reads only a few rows of word embeddings that are not tied to the
  /// head.
  package var weightBytes: Int { (innerLayers + [head.vocabulary]).reduce(0) { $0 + $1.weight.byteCount } }
}

extension Weight {
  /// Number of parameters in it.
  fileprivate var count: Int { inputs * outputs }
}
