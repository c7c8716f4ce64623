import Kernels

/// The logits of hidden states after the last block: logits = cap(vocabulary(project(norm(hidden)))), each if present.
package struct Head: Sendable {
  /// nil: none (OPT 350m).
  package let norm: NormWeights?
  /// The projection from the width of the hidden states to that of the embeddings; nil if they are equal.
  package let projection: LinearLayer?
  /// To the vocabulary, or to this rank's part of it, output-major [vocabulary, width].
  package let vocabulary: LinearLayer
  /// The tokens that `vocabulary` has.
  package let part: VocabularyPart
  /// Logits l become cap · tanh(l / cap); nil: no cap.
  package let softCap: Float?

  package init(
    norm: NormWeights?, projection: LinearLayer? = nil, vocabulary: LinearLayer, part: VocabularyPart? = nil,
    softCap: Float? = nil
  ) {
    self.norm = norm
    self.projection = projection
    self.vocabulary = vocabulary
    self.part = part ?? VocabularyPart(whole: vocabulary.weight.outputs)
    self.softCap = softCap
  }
}

/// The activations of the head that its backward needs.
struct HeadActivations {
  let norm: NormActivations?  // of the last block's output, [R, D]
  let dHidden: Matrix  // [R, D], the gradient of the norm's output; computed in the forward, so that no logits are kept
}

extension Head {
  /// The scores of targets, whose rows are those of `top`, and the activations for a backward, if there will be one.
  ///
  /// top: [R, D], the last block's output.
  func forward(
    _ top: Matrix, _ targets: [Target], keepsGradient: Bool, workspace: Workspace, on team: ThreadTeam
  ) -> (scores: [TargetScore], kept: HeadActivations?) {
    let kept = norm.map { NormActivations($0, of: top, in: workspace) }
    let dHidden = keepsGradient ? workspace.matrix(top.rows, top.columns) : nil
    let scores = workspace.scoped {
      let hidden = kept?.forward(in: workspace, on: team) ?? top
      return score(hidden, targets, gradient: dHidden, workspace: workspace, on: team)
    }
    return (scores, dHidden.map { HeadActivations(norm: kept, dHidden: $0) })
  }

  /// The gradient of Σ weight · -logProbability with respect to the last block's output, [R, D].
  func backward(_ kept: HeadActivations, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    if let norm = kept.norm { return norm.backward(kept.dHidden, in: workspace, on: team) }
    let gradient = workspace.matrix(kept.dHidden.rows, kept.dHidden.columns)
    copy(kept.dHidden, into: gradient, on: team)
    return gradient
  }

  /// The norm of the last block's output, [R, D].
  func hiddenStates(_ top: Matrix, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    norm.map { NormActivations($0, of: top, in: workspace).forward(in: workspace, on: team) } ?? top
  }

  /// The log-probability of every token of the vocabulary after each row, [R, vocabulary]. top: [R, D].
  func logProbabilities(_ top: Matrix, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    precondition(part.ranks.size == 1, "the log-probabilities are of the whole vocabulary")
    let lines = logits(of: hiddenStates(top, workspace: workspace, on: team), workspace: workspace, on: team)
    logSoftmax(lines, on: team)
    return lines
  }

  /// The scores of the targets, from the logits of hidden rows, in chunks.
  ///
  /// hidden: [R, D], after the norm; `gradient`, [R, D], receives d(Σ weight · -logProbability)/d(hidden).
  private func score(
    _ hidden: Matrix, _ targets: [Target], gradient: Matrix?, workspace: Workspace, on team: ThreadTeam
  ) -> [TargetScore] {
    // As many rows on every rank.
    let chunk = max(1, (16 << 20) * part.ranks.size / part.count)
    var scores = [TargetScore](repeating: TargetScore(), count: targets.count)
    for start in stride(from: 0, to: hidden.rows, by: chunk) {
      let rows = start..<min(start + chunk, hidden.rows)
      let members = targets.indices.filter { rows.contains(targets[$0].row) }
      let shifted = members.map {
        Target(row: targets[$0].row - start, token: targets[$0].token, weight: targets[$0].weight)
      }
      let found = workspace.scoped {
        scoreChunk(hidden.rows(rows), shifted, gradient: gradient?.rows(rows), workspace: workspace, on: team)
      }
      for (member, score) in zip(members, found) { scores[member] = score }
    }
    if let gradient { sum(gradient, over: part.ranks, on: team) }
    return scores
  }

  private func scoreChunk(
    _ hidden: Matrix, _ targets: [Target], gradient: Matrix?, workspace: Workspace, on team: ThreadTeam
  ) -> [TargetScore] {
    let logits = logits(of: hidden, workspace: workspace, on: team)
    guard let gradient else { return crossEntropy(logits, targets, of: part, gradient: false, on: team) }
    let capped = softCap.map { cap in
      let kept = workspace.matrix(logits.rows, logits.columns)
      copy(logits, into: kept, on: team)
      return (cap: cap, logits: kept)
    }
    let scores = crossEntropy(logits, targets, of: part, gradient: true, on: team)
    if let capped { softCapBackward(logits, capped: capped.logits, at: capped.cap, on: team) }
    guard let projection else {
      vocabulary.backward(logits, into: gradient, on: team)
      return scores
    }
    let dProjected = workspace.matrix(hidden.rows, vocabulary.weight.inputs)
    vocabulary.backward(logits, into: dProjected, on: team)
    projection.backward(dProjected, into: gradient, on: team)
    return scores
  }

  /// The logits of hidden rows, [R, vocabulary]. hidden: [R, D], after the norm.
  private func logits(of hidden: Matrix, workspace: Workspace, on team: ThreadTeam) -> Matrix {
    let logits = workspace.matrix(hidden.rows, part.tokens.count)
    workspace.scoped {
      var rows = hidden
      if let projection {
        rows = workspace.matrix(hidden.rows, vocabulary.weight.inputs)
        projection.forward(hidden, into: rows, on: team)
      }
      vocabulary.forward(rows, into: logits, on: team)
    }
    if let softCap { Kernels.softCap(logits, at: softCap, on: team) }
    return logits
  }
}
