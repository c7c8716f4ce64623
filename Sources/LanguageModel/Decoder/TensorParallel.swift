import Collectives
import Kernels

/// The cut of a decoder into parts that ranks compute together.
///
/// Each rank has some heads of every attention, some columns of every feed-forward and some tokens of the vocabulary; norms,
/// embeddings and projections before them are whole on each. Projections to heads and columns are cut by outputs, those
/// back to the hidden states by inputs, so that ranks only exchange sums of hidden states: one after each attention and
/// each feed-forward, and as many in the backward (Megatron-LM, arXiv 1909.08053). Word embeddings are looked up in the
/// mapped file, which reads the rows of a pack's tokens alone: to cut them would save nothing.
extension Decoder {
  /// The largest number of parts: no rank may be without a head.
  package var mostParts: Int { blocks.map(\.attention.body.shape.heads).min() ?? 1 }

  /// This rank's part.
  ///
  /// - Parameters:
  ///   - ranks: those with the parts, at most `mostParts`.
  ///   - finished: is called after each block, whose whole weights are not needed any more.
  /// - Returns: a decoder with the same inputs and scores, which all ranks run together.
  func part(of ranks: any Communicator, finished: () -> Void) -> Decoder {
    let parts = blocks.map { block in
      defer { finished() }
      return block.part(of: ranks)
    }
    let count = vocabularySize, tokens = ranks.share(of: count)
    return Decoder(
      embedding: embedding, rotaries: rotaries, blocks: parts,
      head: Head(
        norm: head.norm, projection: head.projection, vocabulary: head.vocabulary.outputs(tokens),
        part: VocabularyPart(tokens: tokens, of: count, ranks: ranks), softCap: head.softCap),
      maximumPositions: maximumPositions)
  }
}

extension Block {
  fileprivate func part(of ranks: any Communicator) -> Block {
    Block(
      residual: residual,
      attention: attention.body.normsSpanHeads
        ? attention : attention.withBody(attention.body.part(rank: ranks.rank, of: ranks.size), over: ranks),
      feedForward: feedForward.withBody(feedForward.body.part(rank: ranks.rank, of: ranks.size), over: ranks))
  }
}

extension Sublayer {
  fileprivate func withBody(_ body: Body, over ranks: any Communicator) -> Sublayer {
    Sublayer(normBefore: normBefore, body, normAfter: normAfter, joining: join, over: ranks)
  }
}

extension Attention {
  /// Whether a norm needs the queries or keys of all heads (OLMo 2): then every rank computes all of them.
  fileprivate var normsSpanHeads: Bool { norms.contains { $0.gain.count > shape.headSize } }

  /// The heads of a rank, with the key-value heads that they read.
  ///
  /// Ranks have whole groups of heads that share a key-value head. If there are more ranks than groups, several have a part
  /// of the same group, and each computes its keys and values.
  fileprivate func part(rank: Int, of size: Int) -> Attention {
    let group = shape.heads / shape.keyValueHeads, groups = shape.keyValueHeads
    let keyValueHeads: Range<Int>, heads: Range<Int>
    if groups >= size {
      keyValueHeads = (groups * rank / size)..<(groups * (rank + 1) / size)
      heads = (keyValueHeads.lowerBound * group)..<(keyValueHeads.upperBound * group)
    } else {
      let own = groups * rank / size
      let sharers = (0..<size).filter { groups * $0 / size == own }
      let place = rank - sharers[0]
      keyValueHeads = own..<(own + 1)
      heads =
        (own * group + group * place / sharers.count)..<(own * group + group * (place + 1) / sharers.count)
    }
    func numbers(_ heads: Range<Int>) -> Range<Int> {
      (heads.lowerBound * shape.headSize)..<(heads.upperBound * shape.headSize)
    }
    return Attention(
      query: query.outputs(numbers(heads)).separated(), key: key.outputs(numbers(keyValueHeads)).separated(),
      value: value.outputs(numbers(keyValueHeads)).separated(),
      output: output.inputs(numbers(heads), isFirst: rank == 0).separated(), queryNorm: queryNorm, keyNorm: keyNorm,
      shape: AttentionShape(
        heads: heads.count, keyValueHeads: keyValueHeads.count, headSize: shape.headSize, scale: shape.scale,
        window: shape.window, softCap: shape.softCap, slopes: shape.slopes.isEmpty ? [] : Array(shape.slopes[heads])),
      rotary: rotary)
  }
}

extension FeedForward {
  /// The columns of a rank: whole blocks of the stored numbers if there are enough.
  fileprivate func part(rank: Int, of size: Int) -> FeedForward {
    let count = up.weight.outputs, block = down.weight.format.block.numbers
    let unit = count % block == 0 && count / block >= size ? block : 1
    let columns = (count / unit * rank / size * unit)..<(count / unit * (rank + 1) / size * unit)
    return FeedForward(
      gate: gate?.outputs(columns).separated(), up: up.outputs(columns).separated(),
      down: down.inputs(columns, isFirst: rank == 0).separated(), activation: activation)
  }
}

extension LinearLayer {
  /// The part that reads a range of inputs; the first part adds the bias.
  fileprivate func inputs(_ range: Range<Int>, isFirst: Bool) -> LinearLayer {
    LinearLayer(weight: weight.inputs(range), bias: isFirst ? bias : [])
  }

  fileprivate func separated() -> LinearLayer { LinearLayer(weight: weight.separated(), bias: bias) }
}
