import Kernels

/// A frozen decoder-only transformer: embedding → blocks → head.
///
/// It runs over token trees: forward, and backward to its input embeddings and to the keys and values of a prefix. Its
/// own weights have no gradients.
package struct Decoder: Sendable {
  package let embedding: Embedding
  /// The rotary embeddings that the blocks refer to.
  package let rotaries: [Rotary]
  package let blocks: [Block]
  package let head: Head
  /// The largest number of tokens on a path; nil: the family has no limit (ALiBi).
  package let maximumPositions: Int?

  package init(
    embedding: Embedding, rotaries: [Rotary] = [], blocks: [Block], head: Head, maximumPositions: Int?
  ) {
    precondition(!blocks.isEmpty, "a decoder has blocks")
    self.embedding = embedding
    self.rotaries = rotaries
    self.blocks = blocks
    self.head = head
    self.maximumPositions = maximumPositions
  }

  /// The width of the embeddings, and so of a prompt.
  package var width: Int { embedding.width }
  /// D, the width of the hidden states.
  package var hiddenWidth: Int { embedding.projection?.weight.outputs ?? width }
  package var vocabularySize: Int { embedding.words.outputs }
}

/// What a forward keeps for a backward.
package enum Retention: Sendable {
  /// Nothing: there will be no backward.
  case nothing
  /// Each block's input; the backward recomputes the block, a third more work for a tenth of the memory.
  case inputs
  /// All activations that the backward needs.
  case everything
}

/// A forward over a token tree: its scores, and the activations its backward needs.
///
/// Its matrices are in the workspace of the forward.
package struct ForwardPass {
  package let tree: TokenTree
  /// The score of each target, in order.
  package let scores: [TargetScore]
  /// Keys and values of the tree's first segment, if they are kept.
  package let kept: Prefix?
  fileprivate let prefix: Prefix?
  fileprivate let run: BlockRun
  /// nil: no backward.
  fileprivate let head: HeadActivations?
}

/// The activations of the blocks over a tree.
private struct BlockRun {
  let embedded: NormActivations?  // [N, D], before the embedding's norm
  let inputs: [Matrix]  // of each block, [N, D]; without a backward, two matrices in turn
  let activations: [BlockActivations]  // empty if the backward recomputes them, or there is no backward
  let allRows: QueryRows
  let outputRows: QueryRows
  let top: Matrix  // [R, D], output of the last block
  let kept: Prefix?
}

extension Decoder {
  /// Runs the tree and scores the targets.
  ///
  /// - Parameters:
  ///   - tree: the segments to compute; it continues `prefix`.
  ///   - targets: the tokens to score; a target's `row` is a row of the tree, and its token the next one.
  ///   - prefix: keys and values computed earlier, `tree.prefixLength` tokens long.
  ///   - retention: what to keep for `backward`.
  ///   - keepsRoot: whether the first segment's keys and values are kept, as the prefix of later trees.
  ///   - workspace: the memory of the pass's matrices.
  ///   - team: the threads.
  /// - Returns: the scores, and what `retention` and `keepsRoot` keep.
  package func forward(
    _ tree: TokenTree, targets: [Target], prefix: Prefix? = nil, retention: Retention = .nothing,
    keepsRoot: Bool = false, workspace: Workspace, on team: ThreadTeam
  ) -> ForwardPass {
    let outputs = Set(targets.map(\.row)).sorted()
    let run = runBlocks(
      over: tree, outputs: outputs, prefix: prefix, retention: retention, keepsRoot: keepsRoot, workspace: workspace,
      on: team)
    let places = Dictionary(uniqueKeysWithValues: outputs.enumerated().map { ($1, $0) })
    let placed = targets.map { target in
      guard let row = places[target.row] else { preconditionFailure("every target's row is an output") }
      return Target(row: row, token: target.token, weight: target.weight)
    }
    let (scores, kept) = head.forward(
      run.top, placed, keepsGradient: retention != .nothing, workspace: workspace, on: team)
    return ForwardPass(tree: tree, scores: scores, kept: run.kept, prefix: prefix, run: run, head: kept)
  }

  /// The gradient of Σ weight · -logProbability of the pass's targets.
  ///
  /// - Parameters:
  ///   - pass: a pass that kept its activations or inputs.
  ///   - fromLaterPacks: gradients of the keys and values of segment 0 from packs that continue it.
  ///   - prefixGradients: receives, by addition, the gradient of the prefix of this pass.
  ///   - inputSegment: the segment whose embeddings' gradient is returned.
  ///   - workspace: the memory of the gradient; the pass's own workspace or another.
  ///   - team: the threads.
  /// - Returns: the gradient with respect to that segment's embeddings, [tokens, width]; nil without `inputSegment`.
  @discardableResult
  package func backward(
    _ pass: ForwardPass, fromLaterPacks: PrefixGradients? = nil, prefixGradients: PrefixGradients? = nil,
    inputSegment: Int? = nil, workspace: Workspace, on team: ThreadTeam
  ) -> Matrix? {
    guard let kept = pass.head else { preconditionFailure("the pass kept nothing for a backward") }
    let N = pass.tree.rowCount, D = hiddenWidth, run = pass.run
    let wantedRows = inputSegment.map { pass.tree.segments[$0].rows } ?? 0..<0
    var gradient = head.backward(kept, workspace: workspace, on: team)
    var other = workspace.matrix(N, D)
    var spare = workspace.matrix(N, D)
    for (index, block) in blocks.enumerated().reversed() {
      let layer = LayerPass(
        workspace: workspace, team: team, prefix: pass.prefix?.layers[index],
        laterGradients: fromLaterPacks?.layers[index], prefixGradients: prefixGradients?.layers[index])
      workspace.scoped {
        let a: BlockActivations
        if run.activations.isEmpty {
          let rows = index == blocks.count - 1 ? run.outputRows : run.allRows
          a = BlockActivations(block, input: run.inputs[index], rows: rows, in: workspace)
          block.forward(a, into: nil, in: layer)
        } else {
          a = run.activations[index]
        }
        block.backward(gradient, a, inputRows: index == 0 ? wantedRows : 0..<N, into: other, in: layer)
      }
      gradient = other
      swap(&other, &spare)
    }
    guard inputSegment != nil else { return nil }
    return embedding.backward(
      gradient.rows(wantedRows), kept: run.embedded?.rows(wantedRows), workspace: workspace, on: team)
  }

  /// The log-probabilities of every token of the vocabulary after the tree's last row.
  ///
  /// - Parameters:
  ///   - tree: one segment, which continues `prefix`.
  ///   - prefix: keys and values computed earlier.
  ///   - workspace: the memory of the pass's matrices.
  ///   - team: the threads.
  /// - Returns: the log-probabilities, and the segment's keys and values.
  func continuation(
    of tree: TokenTree, prefix: Prefix?, workspace: Workspace, on team: ThreadTeam
  ) -> (logProbabilities: [Float], kept: Prefix) {
    let run = runBlocks(
      over: tree, outputs: [tree.rowCount - 1], prefix: prefix, retention: .nothing, keepsRoot: true,
      workspace: workspace, on: team)
    guard let kept = run.kept else { preconditionFailure("the segment's keys and values are kept") }
    return (head.logProbabilities(run.top, workspace: workspace, on: team).values, kept)
  }

  /// The hidden states that the logits of some rows come from, after the head's norm, [R, D].
  ///
  /// - Parameters:
  ///   - tree: the segments to compute; it continues `prefix`.
  ///   - rows: rows of the tree, ascending.
  ///   - prefix: keys and values computed earlier.
  ///   - workspace: the memory of the pass's matrices and of the result.
  ///   - team: the threads.
  /// - Returns: the states; no logits are computed.
  package func hiddenStates(
    of tree: TokenTree, rows: [Int], prefix: Prefix? = nil, workspace: Workspace, on team: ThreadTeam
  ) -> Matrix {
    let run = runBlocks(
      over: tree, outputs: rows, prefix: prefix, retention: .nothing, keepsRoot: false, workspace: workspace, on: team)
    return head.hiddenStates(run.top, workspace: workspace, on: team)
  }

  /// Embedding and all blocks over the tree; the last block computes only the output rows.
  private func runBlocks(
    over tree: TokenTree, outputs: [Int], prefix: Prefix?, retention: Retention, keepsRoot: Bool,
    workspace: Workspace, on team: ThreadTeam
  ) -> BlockRun {
    precondition(tree.prefixLength == prefix?.length ?? 0, "the tree has another prefix")
    precondition(tree.maximumDepth <= maximumPositions ?? .max, "\(tree.maximumDepth) tokens are too many")
    let N = tree.rowCount, D = hiddenWidth
    let allRows = queryRows(of: tree, selected: nil, in: workspace, on: team)
    let outputRows = queryRows(of: tree, selected: outputs, in: workspace, on: team)
    let keptRows = keepsRoot ? tree.segments[0].rows : nil

    let top = workspace.matrix(outputs.count, D)
    let kept = keptRows.map { rows in
      Prefix(
        length: rows.count,
        layers: blocks.map { $0.attention.body.keysAndValues(rows: rows.count, in: workspace) })
    }
    var inputs = [workspace.matrix(N, D)]
    let embedded = embedding.norm.map { NormActivations($0, of: workspace.matrix(N, D), in: workspace) }
    embedding.forward(tree, kept: embedded, into: inputs[0], workspace: workspace, on: team)
    let spare = retention == .nothing ? workspace.matrix(N, D) : nil
    var activations: [BlockActivations] = []
    for (index, block) in blocks.enumerated() {
      let isTop = index == blocks.count - 1
      let output: Matrix
      if isTop {
        output = top
      } else if let spare {
        // Without a backward, two matrices alternate.
        output = index % 2 == 0 ? spare : inputs[0]
      } else {
        output = workspace.matrix(N, D)
      }
      func run() -> BlockActivations {
        let a = BlockActivations(block, input: inputs[index], rows: isTop ? outputRows : allRows, in: workspace)
        let layer = LayerPass(workspace: workspace, team: team, prefix: prefix?.layers[index])
        block.forward(a, into: output, in: layer)
        if let keptRows, let kept = kept?.layers[index] {
          let keysAndValues = a.attention.body.projections.keysAndValues
          copy(keysAndValues.keys.rows(keptRows), into: kept.keys, on: team)
          copy(keysAndValues.values.rows(keptRows), into: kept.values, on: team)
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
      embedded: embedded, inputs: inputs, activations: activations, allRows: allRows, outputRows: outputRows, top: top,
      kept: kept)
  }

  private func queryRows(
    of tree: TokenTree, selected: [Int]?, in workspace: Workspace, on team: ThreadTeam
  ) -> QueryRows {
    let depths = tree.depths
    return QueryRows(
      selected: selected, plan: tree.plan(rows: selected),
      angles: rotaries.map { rotary in
        let all = RotaryAngles(rotary, positions: depths, in: workspace, on: team)
        let some = selected.map { RotaryAngles(rotary, positions: $0.map { depths[$0] }, in: workspace, on: team) }
        return (all, some ?? all)
      })
  }
}
