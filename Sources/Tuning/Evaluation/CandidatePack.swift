import Diagnostics
import Kernels
import LanguageModel
import Method

/// Rows with all of their candidate labels that are scored in one pass over a prompt's context.
package struct CandidatePack {
  /// Tokens of a full pack; a larger pack means larger matrix products and more memory.
  private let tokens: Int
  private(set) var tree: TokenTree
  private var rows: [(place: String, branches: CandidateBranches)] = []
  /// Whether rows end before their labels, as a classifier head reads them.
  private let endsBeforeLabels: Bool

  /// An empty pack that continues a context of `contextCount` tokens and is full at `tokens` of its own.
  init(contextCount: Int, tokens: Int, endsBeforeLabels: Bool = false) {
    precondition(tokens > 0)
    self.tokens = tokens
    self.endsBeforeLabels = endsBeforeLabels
    tree = TokenTree(prefixLength: contextCount)
  }

  package var isFull: Bool { tree.rowCount >= tokens }

  /// Adds a row.
  ///
  /// - Throws: `InputError.badData` when it starts with its label.
  package mutating func append(_ row: CandidateRow) throws {
    guard row.candidates.allSatisfy({ $0.labelPositions.first != 0 }) else {
      throw InputError.badData(row.place, "starts with its label; there is no token to predict it from")
    }
    let branches =
      endsBeforeLabels
      ? CandidateBranches(before: row.tokensBeforeLabel, growing: &tree)
      : CandidateBranches(row.candidates, growing: &tree)
    rows.append((row.place, branches))
  }

  /// The last row of the tree of each row, before its branches: the token before the label if rows end there.
  var lastRows: [Int] { rows.map(\.branches.lastRow) }

  /// The head's prediction for each row, from the hidden states of `lastRows`, [rows, width].
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  func scores(of states: Matrix, by head: ClassifierHead) throws -> [CandidateScores] {
    let values = states.values
    return try rows.enumerated().map { index, row in
      let logs = head.logProbabilities(of: values[(index * states.columns)..<((index + 1) * states.columns)])
      // A label is one choice, of however many tokens its word has.
      return try finite(CandidateScores(logProbabilities: logs, tokenCounts: logs.map { _ in 1 }), of: row.place)
    }
  }

  private func finite(_ scores: CandidateScores, of place: String) throws -> CandidateScores {
    guard scores.logProbabilities.allSatisfy(\.isFinite) else {
      throw InputError.badData(
        place, "the model's probabilities are not finite; check its weights, and that it is the adapter's model")
    }
    return scores
  }

  /// The label tokens of all rows.
  var targets: [Target] { rows.flatMap(\.branches.targets) }

  /// The prediction for each row, from the scores of the targets.
  ///
  /// - Throws: `InputError.badData` naming a row whose probabilities are not finite.
  func scores(of targets: [TargetScore]) throws -> [CandidateScores] {
    var rest = targets[...]
    return try rows.map { place, branches in
      let own = rest.prefix(branches.targets.count)
      rest = rest.dropFirst(branches.targets.count)
      return try finite(branches.scores(of: Array(own)), of: place)
    }
  }
}

/// One example in a token tree: the candidates' common tokens as one segment, the rest as branches under it.
private struct CandidateBranches {
  /// The label tokens to score; candidates with a common prefix share them.
  private(set) var targets: [Target] = []
  /// The targets of each candidate's label.
  private var targetsOfCandidate: [[Int]]
  /// The last row of the common tokens in the tree.
  let lastRow: Int

  /// A row without candidates.
  init(before label: [Int], growing tree: inout TokenTree) {
    targetsOfCandidate = []
    tree.append(.tokens(label))
    lastRow = tree.rowCount - 1
  }

  init(_ candidates: [TypedTokens], growing tree: inout TokenTree) {
    precondition(!candidates.isEmpty, "a row has candidates")
    targetsOfCandidate = candidates.map { _ in [] }
    // The common prefix before anything is predicted.
    let firstLabels = candidates.map { candidate in
      guard let first = candidate.labelPositions.first else { preconditionFailure("a candidate has a label") }
      return first
    }
    var shared = 1
    while firstLabels.allSatisfy({ shared < $0 }), Set(candidates.map { $0.ids[shared] }).count == 1 { shared += 1 }
    let segment = tree.append(.tokens(Array(candidates[0].ids[..<shared])))
    lastRow = tree.segments[segment].rows.upperBound - 1
    grow(candidates, Array(candidates.indices), from: shared, under: segment, &tree)
  }

  /// Adds the tokens after `position` of these candidates, which are equal before it.
  private mutating func grow(
    _ candidates: [TypedTokens], _ members: [Int], from position: Int, under parent: Int, _ tree: inout TokenTree
  ) {
    let row = tree.segments[parent].rows.upperBound - 1
    var groups: [(token: Int, members: [Int])] = []
    for member in members {
      guard position <= candidates[member].computedCount else { continue }
      let token = candidates[member].ids[position]
      if let index = groups.firstIndex(where: { $0.token == token }) {
        groups[index].members.append(member)
      } else {
        groups.append((token, [member]))
      }
    }
    for group in groups {
      let scoring = group.members.filter { TokenRole(type: candidates[$0].types[position]) == .label }
      if !scoring.isEmpty {
        for member in scoring { targetsOfCandidate[member].append(targets.count) }
        targets.append(Target(row: row, token: group.token))
      }
      let longer = group.members.filter { position < candidates[$0].computedCount }
      if longer.isEmpty { continue }
      let segment = tree.append(.tokens([group.token]), parent: parent)
      grow(candidates, longer, from: position + 1, under: segment, &tree)
    }
  }

  /// The score of each candidate's label, from the scores of its targets.
  func scores(of targets: [TargetScore]) -> CandidateScores {
    CandidateScores(
      logProbabilities: targetsOfCandidate.map { $0.reduce(0.0) { $0 + Double(targets[$1].logProbability) } },
      tokenCounts: targetsOfCandidate.map(\.count))
  }
}
