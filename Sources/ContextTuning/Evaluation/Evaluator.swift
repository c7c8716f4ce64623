import FileFormats
import Glibc
import Kernels
import LanguageModel

/// What the model said about one row.
public struct Prediction: Sendable {
  /// "test.tsv:12".
  public let place: String
  /// log P(whole label | context, row), in nats, for each candidate.
  public let logProbabilities: [Double]
  /// The row's own label.
  public let label: Int

  public init(place: String, logProbabilities: [Double], label: Int) {
    self.place = place
    self.logProbabilities = logProbabilities
    self.label = label
  }

  /// The most probable candidate; the first of equals.
  public var predicted: Int {
    logProbabilities.indices.max { logProbabilities[$0] < logProbabilities[$1] } ?? 0
  }

  /// Probabilities of the candidates among themselves.
  public var probabilities: [Double] {
    let largest = logProbabilities.max() ?? 0
    let powers = logProbabilities.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}

/// Scores rows against a prompt: the context once, then many rows at a time, each with all of its candidate labels.
public struct Evaluator {
  private let decoder: Decoder
  private let workspace: Workspace
  private let team: ThreadTeam

  /// Rows of a pack; more give larger matrix products and take more memory.
  private static let packRows = 1024

  public init(decoder: Decoder, workspace: Workspace, team: ThreadTeam) {
    self.decoder = decoder
    self.workspace = workspace
    self.team = team
  }

  /// The log probability of every candidate label of every example; `progress` hears the number of examples done.
  ///
  /// - Throws: `InputError.badData` naming an example that starts with its label or whose probabilities are not finite.
  public func predict(
    _ examples: [EncodedExample], prompt: TunedPrompt, progress: (Int) -> Void = { _ in }
  ) throws -> [Prediction] {
    if examples.isEmpty { return [] }
    for example in examples where example.candidates.contains(where: { $0.labelPositions.first == 0 }) {
      throw InputError.badData(example.place, "starts with its label; there is no token to predict it from")
    }
    return try workspace.scoped {
      var contextTree = TokenTree()
      contextTree.append(
        .embeddings(Matrix(rows: prompt.context.count, columns: prompt.width, values: prompt.embeddings)))
      let context = decoder.forward(contextTree, targets: [], keeping: 0, workspace: workspace, on: team)
      var predictions: [Prediction] = []
      while predictions.count < examples.count {
        try workspace.scoped {
          var tree = TokenTree(prefixLength: prompt.context.count)
          var branches: [CandidateBranches] = []
          var next = predictions.count
          repeat {
            branches.append(CandidateBranches(examples[next].candidates, growing: &tree))
            next += 1
          } while next < examples.count && tree.rowCount < Self.packRows
          let targets = branches.flatMap(\.targets)
          let pass = decoder.forward(
            tree, targets: targets, prefix: context.kept, workspace: workspace, on: team)
          var scores = pass.scores[...]
          for (offset, branch) in branches.enumerated() {
            let own = scores.prefix(branch.targets.count)
            scores = scores.dropFirst(branch.targets.count)
            let example = examples[next - branches.count + offset]
            let sums = branch.sums(of: Array(own))
            guard sums.allSatisfy(\.isFinite) else {
              throw InputError.badData(
                example.place,
                "the model's probabilities are not finite; check its weights, and that it is the adapter's model")
            }
            predictions.append(
              Prediction(place: example.place, logProbabilities: sums, label: example.label))
          }
        }
        progress(predictions.count)
      }
      return predictions
    }
  }
}

/// One example in a token tree: what its candidates share as one segment, what they do not as branches under it.
private struct CandidateBranches {
  /// The label tokens to score; candidates that begin alike share them.
  private(set) var targets: [Target] = []
  /// For each candidate, the targets that make up its label.
  private var targetsOfCandidate: [[Int]]

  init(_ candidates: [TypedTokens], growing tree: inout TokenTree) {
    targetsOfCandidate = candidates.map { _ in [] }
    // Up to where all are alike, and nothing is to be predicted yet.
    let limit = candidates.map { ($0.labelPositions.first ?? 1) }.min() ?? 1
    var shared = 1
    while shared < limit, Set(candidates.map { $0.ids[shared] }).count == 1 { shared += 1 }
    guard let first = candidates.first else { return }
    let segment = tree.append(.tokens(Array(first.ids[..<shared])))
    grow(candidates, Array(candidates.indices), from: shared, under: segment, &tree)
  }

  /// Adds what follows `position` of these candidates, which are alike before it.
  private mutating func grow(
    _ candidates: [TypedTokens], _ members: [Int], from position: Int, under parent: Int, _ tree: inout TokenTree
  ) {
    let row = tree.segments[parent].rows.upperBound - 1
    var groups: [(token: Int, members: [Int])] = []
    for member in members {
      guard let last = candidates[member].labelPositions.last, position <= last else { continue }
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
      let longer = group.members.filter { position < candidates[$0].labelPositions.last ?? 0 }
      if longer.isEmpty { continue }
      let segment = tree.append(.tokens([group.token]), parent: parent)
      grow(candidates, longer, from: position + 1, under: segment, &tree)
    }
  }

  /// The log probability of each candidate's label.
  func sums(of scores: [TargetScore]) -> [Double] {
    targetsOfCandidate.map { $0.reduce(0.0) { $0 + Double(scores[$1].logProbability) } }
  }
}
