import Kernels

/// A frozen decoder-only transformer: embeddings, blocks, final norm, head.
///
/// It runs over token trees, forward and backward to its input embeddings and to the keys and values of a prefix;
/// its own weights have no gradients.
package struct Decoder: Sendable {
  /// Output-major [vocabulary, width].
  package let wordEmbeddings: Weight
  /// What word embeddings are multiplied with as they are looked up (Gemma); a prompt's rows are taken as they are.
  package let embeddingScale: Float
  /// From the embeddings' width to that of the hidden states; nil where they are the same (OPT 350m).
  package let projectionIn: LinearLayer?
  /// Learned position embeddings, output-major [positions, hidden width]; nil: none.
  package let positionEmbeddings: Weight?
  /// The row of the first position's embedding (OPT's is 2).
  package let positionOffset: Int
  /// A norm of the embeddings, before the first block (BLOOM).
  package let embeddingNorm: NormWeights?
  /// The rotary embeddings that blocks refer to.
  package let rotaries: [Rotary]
  package let blocks: [Block]
  package let finalNorm: NormWeights?
  /// Back from the width of the hidden states to that of the embeddings.
  package let projectionOut: LinearLayer?
  /// To the vocabulary, output-major [vocabulary, width].
  package let head: LinearLayer
  /// Logits l become cap · tanh(l / cap); nil: they stay.
  package let logitSoftCap: Float?
  /// The largest number of tokens on a path; nil: the family has no limit (ALiBi).
  package let maximumPositions: Int?

  package init(
    wordEmbeddings: Weight, embeddingScale: Float = 1, projectionIn: LinearLayer? = nil,
    positionEmbeddings: Weight? = nil, positionOffset: Int = 0, embeddingNorm: NormWeights? = nil,
    rotaries: [Rotary] = [], blocks: [Block], finalNorm: NormWeights?, projectionOut: LinearLayer? = nil,
    head: LinearLayer, logitSoftCap: Float? = nil, maximumPositions: Int?
  ) {
    self.wordEmbeddings = wordEmbeddings
    self.embeddingScale = embeddingScale
    self.projectionIn = projectionIn
    self.positionEmbeddings = positionEmbeddings
    self.positionOffset = positionOffset
    self.embeddingNorm = embeddingNorm
    self.rotaries = rotaries
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.projectionOut = projectionOut
    self.head = head
    self.logitSoftCap = logitSoftCap
    self.maximumPositions = maximumPositions
  }

  /// The width of the embeddings, and so of a prompt.
  package var width: Int { wordEmbeddings.inputs }
  /// D, the width of the hidden states.
  package var hiddenWidth: Int { projectionIn?.weight.outputs ?? width }
  package var vocabularySize: Int { wordEmbeddings.outputs }

  /// The embeddings that stand for these tokens before the first block, [ids.count, width] row by row.
  package func embeddings(of ids: [Int]) -> [Float] {
    let rows = Matrix(rows: ids.count, columns: width)
    embed(ids, into: rows)
    return rows.values
  }

  private func embed(_ ids: [Int], into rows: Matrix) {
    wordEmbeddings.copyRows(ids, into: rows)
    if embeddingScale != 1 { scale(rows, by: embeddingScale) }
  }
}

/// The keys and values of a path of tokens, layer by layer, on which token trees can stand.
package struct Prefix: Sendable {
  package let length: Int
  let layers: [KeysAndValues]
}

/// Sums of gradients with respect to the keys and values of a prefix.
package struct PrefixGradients: Sendable {
  let layers: [KeysAndValues]
}

/// What a forward leaves behind for a backward.
package enum Retention: Sendable {
  /// Nothing: there will be no backward.
  case nothing
  /// Each block's input; the backward computes the block again, a third more work for a tenth of the memory.
  case inputs
  /// All that the backward needs.
  case everything
}

/// A forward over a token tree: what it predicted and what its backward needs.
///
/// Its matrices live in the workspace it was made in.
package struct ForwardPass {
  package let tree: TokenTree
  /// What was said about each target asked for, in their order.
  package let scores: [TargetScore]
  /// Keys and values of the segment that was to be kept.
  package let kept: Prefix?
  fileprivate let prefix: Prefix?
  fileprivate let training: TrainingState?

  fileprivate struct TrainingState {
    let run: BlockRun
    let finalNorm: NormInput?  // of the last block's output
    let dHidden: Matrix  // [R, D], gradient with respect to the final norm's output
  }
}

/// What running the blocks over a tree leaves.
private struct BlockRun {
  let inputs: [Matrix]  // of each block, [N, D]
  let activations: [BlockActivations]  // empty where the backward computes them again
  let allRows: QueryRows
  let outputRows: QueryRows
  let embedded: NormInput?  // [N, D], before the embeddings' norm
  let top: Matrix  // [R, D], output of the last block
  let kept: Prefix?
}

extension Prefix {
  /// Each layer's keys, after their norm and rotary embedding, and values, [length, key-value heads · head size] each.
  package var keysAndValues: [(keys: [Float], values: [Float])] { layers.map { ($0.keys.values, $0.values.values) } }

  /// Zeroed gradients for its keys and values.
  package func zeroGradients(in workspace: Workspace) -> PrefixGradients {
    PrefixGradients(
      layers: layers.map { layer in
        let gradients = KeysAndValues(
          keys: workspace.matrix(length, layer.keys.columns), values: workspace.matrix(length, layer.values.columns))
        gradients.keys.fill(0)
        gradients.values.fill(0)
        return gradients
      })
  }
}

extension Decoder {
  /// Runs the tree and scores the targets.
  ///
  /// - Parameters:
  ///   - tree: the segments to compute; stands on `prefix`.
  ///   - targets: what to score; a target's `row` is a row of the tree, and its token the one that follows.
  ///   - prefix: keys and values computed earlier, `tree.prefixLength` tokens long.
  ///   - retention: what to keep for `backward`.
  ///   - segment: a segment without a parent whose keys and values later trees stand on.
  ///   - workspace: where the pass's matrices are made.
  ///   - team: the threads.
  /// - Returns: the scores, and what was to be kept.
  package func forward(
    _ tree: TokenTree, targets: [Target], prefix: Prefix? = nil, retention: Retention = .nothing,
    keeping segment: Int? = nil, workspace: Workspace, on team: ThreadTeam
  ) -> ForwardPass {
    let outputs = Set(targets.map(\.row)).sorted()
    let run = runBlocks(
      over: tree, outputs: outputs, prefix: prefix, retention: retention, keeping: segment, workspace: workspace,
      on: team)
    let last = finalNorm.map { NormInput(run.top, $0, in: workspace) }
    let dHidden = retention == .nothing ? nil : workspace.matrix(outputs.count, hiddenWidth)
    let scores = workspace.scoped {
      let hidden = normed(run.top, last, workspace: workspace, on: team)
      let places = Dictionary(uniqueKeysWithValues: outputs.enumerated().map { ($1, $0) })
      let placed = targets.map { Target(row: places[$0.row] ?? 0, token: $0.token, weight: $0.weight) }
      return score(hidden, placed, gradient: dHidden, workspace: workspace, on: team)
    }
    let training = dHidden.map { ForwardPass.TrainingState(run: run, finalNorm: last, dHidden: $0) }
    return ForwardPass(tree: tree, scores: scores, kept: run.kept, prefix: prefix, training: training)
  }

  /// The log-probabilities of every token of the vocabulary after the tree's last row.
  ///
  /// - Parameters:
  ///   - tree: one segment, which stands on `prefix`.
  ///   - prefix: keys and values computed earlier.
  ///   - workspace: where the pass's matrices are made.
  ///   - team: the threads.
  /// - Returns: them, and the segment's keys and values.
  func continuation(
    of tree: TokenTree, prefix: Prefix?, workspace: Workspace, on team: ThreadTeam
  ) -> (logProbabilities: [Float], kept: Prefix?) {
    let run = runBlocks(
      over: tree, outputs: [tree.rowCount - 1], prefix: prefix, retention: .nothing, keeping: 0,
      workspace: workspace, on: team)
    let last = finalNorm.map { NormInput(run.top, $0, in: workspace) }
    let line = logits(of: normed(run.top, last, workspace: workspace, on: team), workspace: workspace, on: team)
    logSoftmax(line, on: team)
    return (line.values, run.kept)
  }

  private func normed(_ top: Matrix, _ kept: NormInput?, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    guard let finalNorm, let kept else { return top }
    let hidden = workspace.matrix(top.rows, top.columns)
    norm(top, finalNorm, into: hidden, statistics: kept.statistics, on: team)
    return hidden
  }

  /// All blocks over the tree; the last computes only the rows that are wanted.
  private func runBlocks(
    over tree: TokenTree, outputs: [Int], prefix: Prefix?, retention: Retention, keeping segment: Int?,
    workspace: Workspace, on team: ThreadTeam
  ) -> BlockRun {
    precondition(tree.prefixLength == prefix?.length ?? 0, "the tree stands on another prefix")
    precondition(tree.maximumDepth <= maximumPositions ?? .max, "\(tree.maximumDepth) tokens are too many")
    let N = tree.rowCount, D = hiddenWidth
    let allRows = queryRows(of: tree, selected: nil, in: workspace)
    let outputRows = queryRows(of: tree, selected: outputs, in: workspace)
    let keptRows = segment.map { index in
      precondition(tree.segments[index].parent == nil, "only a root continues the prefix")
      return tree.segments[index].rows
    }

    let top = workspace.matrix(outputs.count, D)
    let keptLayers = keptRows.map { rows in
      blocks.map { block in
        KeysAndValues(
          keys: workspace.matrix(rows.count, block.key.weight.outputs),
          values: workspace.matrix(rows.count, block.value.weight.outputs))
      }
    }
    var inputs = [workspace.matrix(N, D)]
    let embedded = embeddingNorm.map { NormInput(workspace.matrix(N, D), $0, in: workspace) }
    embed(tree, embedded: embedded, into: inputs[0], workspace: workspace, on: team)
    let spare = retention == .nothing ? workspace.matrix(N, D) : nil
    var activations: [BlockActivations] = []
    for (index, block) in blocks.enumerated() {
      let isTop = index == blocks.count - 1
      let rows = isTop ? outputRows : allRows
      // Without a backward, two matrices take turns.
      let output = isTop ? top : spare == nil || index == 0 ? spare ?? workspace.matrix(N, D) : inputs[index - 1]
      func run() -> BlockActivations {
        let a = BlockActivations(block, input: inputs[index], queryRows: rows.count, in: workspace)
        block.forward(a, rows: rows, prefix: prefix?.layers[index], into: output, workspace: workspace, on: team)
        if let keptRows, let kept = keptLayers?[index] {
          copy(a.keysAndValues.keys.rows(keptRows), into: kept.keys, on: team)
          copy(a.keysAndValues.values.rows(keptRows), into: kept.values, on: team)
        }
        return a
      }
      if retention == .everything {
        activations.append(run())
      } else {
        workspace.scoped { _ = run() }
      }
      if !isTop { inputs.append(output) }
    }

    return BlockRun(
      inputs: inputs, activations: activations, allRows: allRows, outputRows: outputRows, embedded: embedded, top: top,
      kept: keptLayers.map { Prefix(length: keptRows?.count ?? 0, layers: $0) })
  }

  /// The gradient of Σ weight · -logProbability of the pass's targets.
  ///
  /// - Parameters:
  ///   - pass: a pass that kept something for it.
  ///   - fromLaterPacks: gradients that packs standing on segment 0 of this pass have left for its keys and values.
  ///   - prefixGradients: receives, by addition, the gradient for the prefix this pass stands on.
  ///   - inputSegment: the segment whose embeddings' gradient is wanted.
  ///   - workspace: where the gradient is made; the pass's own or another.
  ///   - team: the threads.
  /// - Returns: the gradient with respect to that segment's embeddings, [tokens, D]; nil when none is wanted.
  @discardableResult
  package func backward(
    _ pass: ForwardPass, fromLaterPacks: PrefixGradients? = nil, prefixGradients: PrefixGradients? = nil,
    inputSegment: Int? = nil, workspace: Workspace, on team: ThreadTeam
  ) -> Matrix? {
    guard let state = pass.training else { preconditionFailure("the pass was not made for a backward") }
    let N = pass.tree.rowCount
    let wantedRows = inputSegment.map { pass.tree.segments[$0].rows } ?? 0..<0

    let D = hiddenWidth
    var gradient = workspace.matrix(state.run.outputRows.count, D)
    if let finalNorm, let kept = state.finalNorm {
      gradient.fill(0)
      normBackward(
        state.dHidden, x: kept.x, finalNorm, statistics: kept.statistics, addingTo: gradient, on: team)
    } else {
      copy(state.dHidden, into: gradient, on: team)
    }
    var other = workspace.matrix(N, D)
    var spare = workspace.matrix(N, D)
    for (index, block) in blocks.enumerated().reversed() {
      workspace.scoped {
        let rows = index == blocks.count - 1 ? state.run.outputRows : state.run.allRows
        let prefix = pass.prefix?.layers[index]
        let a: BlockActivations
        if state.run.activations.isEmpty {
          a = BlockActivations(block, input: state.run.inputs[index], queryRows: rows.count, in: workspace)
          block.forward(a, rows: rows, prefix: prefix, into: nil, workspace: workspace, on: team)
        } else {
          a = state.run.activations[index]
        }
        block.backward(
          gradient, a, rows: rows, prefix: prefix, later: fromLaterPacks?.layers[index],
          dPrefix: prefixGradients?.layers[index], inputRows: index == 0 ? wantedRows : 0..<N, into: other,
          workspace: workspace, on: team)
      }
      gradient = other
      swap(&other, &spare)
    }
    guard inputSegment != nil else { return nil }
    var dEmbeddings = gradient.rows(wantedRows)
    if let embeddingNorm, let kept = state.run.embedded?.rows(wantedRows) {
      let passed = workspace.matrix(wantedRows.count, D)
      passed.fill(0)
      normBackward(dEmbeddings, x: kept.x, embeddingNorm, statistics: kept.statistics, addingTo: passed, on: team)
      dEmbeddings = passed
    }
    if let projectionIn {
      let passed = workspace.matrix(wantedRows.count, width)
      linearBackward(dEmbeddings, projectionIn.weight, into: passed, on: team)
      dEmbeddings = passed
    }
    return dEmbeddings
  }

  private func queryRows(of tree: TokenTree, selected: [Int]?, in workspace: Workspace) -> QueryRows {
    let depths = tree.depths
    return QueryRows(
      selected: selected, plan: tree.plan(rows: selected),
      angles: rotaries.map { rotary in
        let all = RotaryAngles(rotary, positions: depths, in: workspace)
        let some = selected.map { RotaryAngles(rotary, positions: $0.map { depths[$0] }, in: workspace) }
        return (all, some ?? all)
      })
  }

  /// hidden row = norm(project(word embedding, or the segment's own) + position embedding), each where there is one.
  ///
  /// hidden: [N, D]; `embedded` receives what the norm is given.
  private func embed(
    _ tree: TokenTree, embedded: NormInput?, into hidden: Matrix, workspace: Workspace, on team: ThreadTeam
  ) {
    let sums = embedded?.x ?? hidden
    workspace.scoped {
      let rows = projectionIn == nil ? sums : workspace.matrix(hidden.rows, width)
      for segment in tree.segments {
        switch segment.content {
        case .tokens(let ids): embed(ids, into: rows.rows(segment.rows))
        case .embeddings(let matrix): copy(matrix, into: rows.rows(segment.rows), on: team)
        }
      }
      projectionIn?.apply(rows, into: sums, on: team)
    }
    if let positionEmbeddings {
      for segment in tree.segments {
        let first = segment.depth + positionOffset
        positionEmbeddings.addRows(first..<(first + segment.rows.count), to: sums.rows(segment.rows))
      }
    }
    if let embeddingNorm, let embedded {
      norm(sums, embeddingNorm, into: hidden, statistics: embedded.statistics, on: team)
    }
  }

  /// Logits of hidden rows against the vocabulary, in chunks, and what they say about the targets.
  ///
  /// hidden: [R, D], after the final norm; `gradient`, [R, D], receives d(Σ weight · -logProbability)/d(hidden).
  private func score(
    _ hidden: Matrix, _ targets: [Target], gradient: Matrix?, workspace: Workspace, on team: ThreadTeam
  ) -> [TargetScore] {
    let chunk = max(1, (16 << 20) / vocabularySize)
    var scores = [TargetScore?](repeating: nil, count: targets.count)
    var start = 0
    while start < hidden.rows {
      let rows = start..<min(start + chunk, hidden.rows)
      let members = targets.indices.filter { rows.contains(targets[$0].row) }
      workspace.scoped {
        let logits = logits(of: hidden.rows(rows), workspace: workspace, on: team)
        var capped: Matrix?
        if gradient != nil, logitSoftCap != nil {
          let kept = workspace.matrix(rows.count, vocabularySize)
          copy(logits, into: kept, on: team)
          capped = kept
        }
        let shifted = members.map {
          Target(row: targets[$0].row - rows.lowerBound, token: targets[$0].token, weight: targets[$0].weight)
        }
        let found = crossEntropy(logits, shifted, gradient: gradient != nil, on: team)
        for (member, score) in zip(members, found) { scores[member] = score }
        guard let gradient else { return }
        if let logitSoftCap, let capped { softCapBackward(logits, capped: capped, at: logitSoftCap, on: team) }
        guard let projectionOut else { return linearBackward(logits, head.weight, into: gradient.rows(rows), on: team) }
        let dProjected = workspace.matrix(rows.count, width)
        linearBackward(logits, head.weight, into: dProjected, on: team)
        linearBackward(dProjected, projectionOut.weight, into: gradient.rows(rows), on: team)
      }
      start = rows.upperBound
    }
    return scores.compactMap { $0 }
  }

  /// What hidden rows say about the next token, [R, vocabulary]. hidden: [R, D], after the final norm.
  private func logits(of hidden: Matrix, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    let logits = workspace.matrix(hidden.rows, vocabularySize)
    workspace.scoped {
      var rows = hidden
      if let projectionOut {
        rows = workspace.matrix(hidden.rows, width)
        projectionOut.apply(hidden, into: rows, on: team)
      }
      head.apply(rows, into: logits, on: team)
    }
    if let logitSoftCap { softCap(logits, at: logitSoftCap, on: team) }
    return logits
  }
}

extension Decoder {
  /// For each row, the words whose embeddings lie nearest to it (Euclidean), nearest first.
  ///
  /// rows: [T, D]. ‖r - w‖² = ‖r‖² - 2 r · w + ‖w‖², all products in one matrix product a chunk of rows.
  package func nearestWords(to rows: Matrix, count: Int, on team: ThreadTeam) -> [[(id: Int, distance: Float)]] {
    let scale = embeddingScale
    let squares = (0..<vocabularySize).map { wordEmbeddings.row($0).reduce(0) { $0 + $1 * $1 } * scale * scale }
    let workspace = Workspace()
    let chunk = max(1, (16 << 20) / vocabularySize)
    return stride(from: 0, to: rows.rows, by: chunk).flatMap { start in
      workspace.scoped {
        let part = rows.rows(start..<min(start + chunk, rows.rows))
        let products = workspace.matrix(part.rows, vocabularySize)
        linear(part, wordEmbeddings, into: products, on: team)
        return (0..<part.rows).map { row in
          let length = (0..<width).reduce(Float(0)) { $0 + part[row, $1] * part[row, $1] }
          var best: [(id: Int, distance: Float)] = []
          for id in 0..<vocabularySize {
            let distance = max(0, length - 2 * scale * products[row, id] + squares[id]).squareRoot()
            if best.count == count, distance >= best.last?.distance ?? .infinity { continue }
            best.insert((id, distance), at: best.firstIndex { $0.distance > distance } ?? best.count)
            if best.count > count { best.removeLast() }
          }
          return best
        }
      }
    }
  }
}
