import Glibc
import Kernels
import LanguageModel
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

/// A context of 7 tokens whose embeddings are free, and leaves under it.
struct Tree {
  static let context = [5, 17, 3, 8, 41, 9, 60]
  static let leaves = [[1, 2, 3, 4], [50], [7, 8, 9, 10, 11, 12], [59, 58]]
  /// Row in the context and the token that follows it.
  static let contextTargets = [(2, 8, Float(0.4)), (5, 60, Float(0.9)), (6, 33, Float(0.2))]

  let model: Decoder
  private let team: ThreadTeam

  init(_ folder: String = fixtures + "/parity/model") throws {
    self.init(try FrozenModel(path: folder).decoder, on: ThreadTeam(threads: 2))
  }

  init(_ model: Decoder, on team: ThreadTeam) {
    self.model = model
    self.team = team
  }

  var embeddings: [Float] { model.embedding.rows(of: Self.context) }

  private func content(_ values: [Float]) -> TokenTree.Content {
    .embeddings(Matrix(rows: Self.context.count, columns: model.width, values: values))
  }

  private func targets(_ tree: TokenTree, _ segments: [Int: [Int]], withContext: Bool) -> [Target] {
    let context = withContext ? Self.contextTargets.map { Target(row: $0.0, token: $0.1, weight: $0.2) } : []
    return context
      + segments.sorted { $0.key < $1.key }.flatMap { segment, tokens in
        let rows = tree.segments[segment].rows
        // Every second row predicts, and always the last.
        return rows.filter { ($0 - rows.lowerBound) % 2 == 1 || $0 == rows.upperBound - 1 }.map {
          Target(row: $0, token: (tokens[$0 - rows.lowerBound] * 7 + 1) % 61, weight: 1)
        }
      }
  }

  private func loss(_ scores: [TargetScore], _ targets: [Target]) -> Double {
    zip(scores, targets).reduce(0) { $0 - Double($1.1.weight) * Double($1.0.logProbability) }
  }

  /// All leaves in the pack of the context.
  func inOnePack(_ values: [Float], retention: Retention = .everything) -> (loss: Double, gradient: [Float]) {
    let workspace = Workspace()
    var tree = TokenTree()
    let root = tree.append(content(values))
    var segments: [Int: [Int]] = [:]
    for leaf in Self.leaves { segments[tree.append(.tokens(leaf), parent: root)] = leaf }
    let targets = targets(tree, segments, withContext: true)
    let pass = model.forward(tree, targets: targets, retention: retention, workspace: workspace, on: team)
    let gradient = model.backward(pass, inputSegment: root, workspace: workspace, on: team)
    return (loss(pass.scores, targets), gradient?.values ?? [])
  }

  /// The context and the first leaf in one pack, each other leaf in a pack of its own over the stored context.
  func inSeveralPacks(_ values: [Float], retention: Retention) -> (loss: Double, gradient: [Float]) {
    let workspace = Workspace()
    var tree = TokenTree()
    let root = tree.append(content(values))
    let first = tree.append(.tokens(Self.leaves[0]), parent: root)
    let rootTargets = targets(tree, [first: Self.leaves[0]], withContext: true)
    let rootPass = model.forward(
      tree, targets: rootTargets, retention: retention, keepsRoot: true, workspace: workspace, on: team)
    let gradients = rootPass.kept?.zeroGradients(in: workspace, on: team)
    var total = loss(rootPass.scores, rootTargets)
    for leaf in Self.leaves.dropFirst() {
      var tree = TokenTree(prefixLength: Self.context.count)
      let segment = tree.append(.tokens(leaf))
      let leafTargets = targets(tree, [segment: leaf], withContext: false)
      workspace.scoped {
        let pass = model.forward(
          tree, targets: leafTargets, prefix: rootPass.kept, retention: retention, workspace: workspace,
          on: team)
        model.backward(pass, prefixGradients: gradients, workspace: workspace, on: team)
        total += loss(pass.scores, leafTargets)
      }
    }
    let gradient = model.backward(
      rootPass, fromLaterPacks: gradients, inputSegment: root, workspace: workspace, on: team)
    return (total, gradient?.values ?? [])
  }

  /// Context and leaf as one plain sequence for each leaf; the context's targets count with the first.
  func asPlainSequences(_ values: [Float]) -> (loss: Double, gradient: [Float]) {
    var total = 0.0
    var sum = [Float](repeating: 0, count: values.count)
    for (index, leaf) in Self.leaves.enumerated() {
      let workspace = Workspace()
      var tree = TokenTree()
      let leafRows = model.embedding.rows(of: leaf)
      let all = Matrix(rows: Self.context.count + leaf.count, columns: model.width, values: values + leafRows)
      tree.append(.embeddings(all))
      var shadow = TokenTree()
      let root = shadow.append(.tokens(Self.context))
      let segment = shadow.append(.tokens(leaf), parent: root)
      let targets = targets(shadow, [segment: leaf], withContext: index == 0)
      let pass = model.forward(tree, targets: targets, retention: .everything, workspace: workspace, on: team)
      let gradient = model.backward(pass, inputSegment: 0, workspace: workspace, on: team)
      total += loss(pass.scores, targets)
      for (i, g) in (gradient?.rows(0..<Self.context.count).values ?? []).enumerated() { sum[i] += g }
    }
    return (total, sum)
  }
}

/// A model of GPT-2's and one of every other family.
let models =
  [fixtures + "/parity/model"] + ((try? FamilyGoldens().cases) ?? []).map(\.folder)

@Suite struct TokenTreeTests {
  @Test(arguments: models, [Retention.everything, .inputs])
  func packingDoesNotChangeLossOrGradient(folder: String, retention: Retention) throws {
    let tree = try Tree(folder)
    let plain = tree.asPlainSequences(tree.embeddings)
    let packed = tree.inOnePack(tree.embeddings, retention: retention)
    let split = tree.inSeveralPacks(tree.embeddings, retention: retention)
    #expect(abs(packed.loss / plain.loss - 1) < 1e-6)
    #expect(abs(split.loss / plain.loss - 1) < 1e-6)
    #expect(relativeDifference(packed.gradient, plain.gradient) < 1e-5)
    #expect(relativeDifference(split.gradient, plain.gradient) < 1e-5)
  }

  @Test(arguments: models)
  func gradientAgreesWithFiniteDifferences(folder: String) throws {
    let tree = try Tree(folder)
    let packed = tree.inOnePack(tree.embeddings)
    let error = gradientError(at: tree.embeddings, gradient: packed.gradient, step: 1e-3) { tree.inOnePack($0).loss }
    #expect(error < 5e-3)
  }

  /// A measured pass books the matrices and the operations of the pass itself, to the last one.
  @Test(arguments: models, [(Retention.everything, 0), (.everything, 12), (.inputs, 0), (.inputs, 12)])
  func aMeasuredPassBooksWhatThePassTakes(folder: String, pack: (retention: Retention, prefix: Int)) throws {
    let model = try FrozenModel(path: folder).decoder
    func run(_ workspace: Workspace, _ team: ThreadTeam) {
      var context = TokenTree()
      context.append(.tokens((0..<12).map { $0 * 13 % 61 }))
      let prefix = model.forward(context, targets: [], keepsRoot: true, workspace: workspace, on: team).kept
      var tree = TokenTree(prefixLength: pack.prefix)
      tree.append(.tokens((0..<36).map { $0 * 13 % 61 }))
      let targets = (10..<30).map { Target(row: $0, token: ($0 * 31 + 5) % 61) }
      let pass = model.forward(
        tree, targets: targets, prefix: pack.prefix > 0 ? prefix : nil, retention: pack.retention,
        workspace: workspace, on: team)
      let gradients = pack.prefix > 0 ? prefix?.zeroGradients(in: workspace, on: team) : nil
      model.backward(pass, prefixGradients: gradients, inputSegment: 0, workspace: workspace, on: team)
    }
    let workspace = Workspace(), profile = Profile()
    run(workspace, ThreadTeam(threads: 2, profile: profile))
    let measurement = Measurement(threads: 2, of: run)
    #expect(measurement.matrixBytes == 4 * workspace.peak)
    #expect(measurement.operations == profile.entries.reduce(0) { $0 + $1.entry.operations })
    #expect(measurement.threadBytes > 0)
  }

  @Test(arguments: [1, 2, 3, 5])
  func threadsAgree(threads: Int) throws {
    let model = try FrozenModel(path: fixtures + "/parity/model").decoder
    func run(_ threads: Int) -> (scores: [Float], gradient: [Float]) {
      let workspace = Workspace(), team = ThreadTeam(threads: threads)
      var tree = TokenTree()
      tree.append(.tokens((0..<90).map { $0 * 13 % 101 }))
      let targets = (0..<90).map { Target(row: $0, token: ($0 * 31 + 5) % 101) }
      let pass = model.forward(tree, targets: targets, retention: .everything, workspace: workspace, on: team)
      let gradient = model.backward(pass, inputSegment: 0, workspace: workspace, on: team)
      return (pass.scores.map(\.logProbability), gradient?.values ?? [])
    }
    let once = run(threads), again = run(threads), alone = run(1)
    #expect(once.scores == again.scores && once.gradient == again.gradient)
    #expect(relativeDifference(once.scores, alone.scores) < 1e-5)
    #expect(relativeDifference(once.gradient, alone.gradient) < 1e-5)
  }

  /// A text given in pieces of several sizes is followed by what follows it when given at once.
  @Test(arguments: models)
  func textsGrowByPieces(folder: String) throws {
    let model = try FrozenModel(path: folder).decoder
    // More than a continuation first makes room for, where the model has the positions.
    let ids = (0..<min(90, model.maximumPositions ?? 90)).map { $0 * 13 % 61 }
    var whole = Continuation(model, on: team)
    let expected = whole.append(.tokens(ids))
    var tree = TokenTree()
    tree.append(.tokens(ids))
    let targets = (0..<model.vocabularySize).map { Target(row: ids.count - 1, token: $0) }
    let scores = model.forward(tree, targets: targets, workspace: Workspace(), on: team).scores
    #expect(relativeDifference(expected, scores.map(\.logProbability)) < 1e-5)
    var pieces = Continuation(model, on: team)
    _ = pieces.append(
      .embeddings(Matrix(rows: 9, columns: model.width, values: model.embedding.rows(of: Array(ids[..<9])))))
    for id in ids[9..<12] { _ = pieces.append(.tokens([id])) }
    #expect(relativeDifference(pieces.append(.tokens(Array(ids[12...]))), expected) < 1e-5)
    #expect(pieces.length == ids.count)
  }

  @Test func rowsDepthsAndDescendants() {
    var tree = TokenTree(prefixLength: 10)
    let root = tree.append(.tokens([1, 2, 3]))
    let child = tree.append(.tokens([4]), parent: root)
    tree.append(.tokens([5, 6]), parent: child)
    tree.append(.tokens([]), parent: child)
    tree.append(.tokens([7]), parent: root)
    #expect(tree.rowCount == 7)
    #expect(tree.depths == [10, 11, 12, 13, 14, 15, 13])
    #expect(tree.maximumDepth == 16)
    #expect(tree.segments.map(\.rows) == [0..<3, 3..<4, 4..<6, 6..<6, 6..<7])
  }

  /// The states times the word embeddings, to which GPT-2's head is tied, are the logits; in a tree as on a plain path.
  @Test func hiddenStatesGiveTheLogits() throws {
    let model = try Tree().model, workspace = Workspace()
    var root = TokenTree()
    root.append(.tokens(Tree.context))
    let kept = model.forward(root, targets: [], keepsRoot: true, workspace: workspace, on: team).kept
    var tree = TokenTree(prefixLength: Tree.context.count)
    for leaf in Tree.leaves { tree.append(.tokens(leaf)) }
    let rows = tree.segments.map { $0.rows.upperBound - 1 }
    let states = model.hiddenStates(of: tree, rows: rows, prefix: kept, workspace: workspace, on: team)
    #expect((states.rows, states.columns) == (4, model.hiddenWidth))
    let words = Matrix(
      rows: model.vocabularySize, columns: model.width,
      values: model.embedding.rows(of: Array(0..<model.vocabularySize)))
    for (index, leaf) in Tree.leaves.enumerated() {
      var plain = Continuation(model, on: team)
      let expected = plain.append(.tokens(Tree.context + leaf))
      let logits = (0..<words.rows).map { word in
        (0..<words.columns).reduce(Float(0)) { $0 + words[word, $1] * states[index, $1] }
      }
      let total = log(logits.reduce(0.0) { $0 + exp(Double($1)) })
      for (logit, logProbability) in zip(logits, expected) {
        #expect(abs(Double(logit) - total - Double(logProbability)) < 1e-4)
      }
    }
  }
}
