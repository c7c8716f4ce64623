import ChatTemplates
import Diagnostics
import FileFormats
import Insights
import Kernels
import LanguageModel
import Method
import Reporting
import Runs
import System
import Tokenization
import Tuning

@testable import Commands

/// A reader of something that users bring: files or words.
struct Reader: Sendable {
  let name: String
  /// The files that it takes, as ``InputFolder`` writes them.
  var files: [String] = []
  /// Reads them and uses what it read.
  let read: @Sendable (InputFolder) throws -> Void

  /// The table of readers.
  static let all: [Reader] = [
    Reader(name: "json") { input in
      for extensions in [[], [.comments, .nonFinite]] as [JSONExtensions] {
        guard let json = try? JSON(parsing: input.bytes, file: "f", allowing: extensions) else { continue }
        for text in [json.compact, json.pretty] {
          let again = try JSON(parsing: Array(text.utf8), file: "f", allowing: extensions).compact
          if again != json.compact { fail("reads \(text) back as \(again)") }
        }
      }
      _ = try JSON(parsing: input.bytes, file: "f")
    },
    Reader(name: "safetensors", files: ["f.safetensors", "raw"]) { input in
      let path = input.path + "/raw"
      let file = try SafetensorsFile(path: fileExists(path) ? path : input.path + "/f.safetensors")
      for tensor in file.tensors {
        if !tensor.equals(tensor) { fail("\(tensor.name) differs from itself") }
        _ = try? tensor.floats()
      }
    },
    Reader(name: "gguf") { input in
      let path = input.path + "/f.gguf"
      try InputFolder.write(input.bytes, to: path)
      if let tokenizer = try? Tokenizer(path: path) { try use(tokenizer, of: path) }
      compute(try FrozenModel(path: path).decoder)
    },
    Reader(
      name: "tokenizer",
      files: ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"]
    ) { input in
      try use(Tokenizer(path: input.path), of: input.path)
    },
    Reader(name: "chat-template") { input in
      let template = try ChatTemplate(String(decoding: input.bytes, as: UTF8.self), place: "f")
      let turns = [ChatMessage(role: "user", content: " Hi\n"), ChatMessage(role: "assistant", content: "yes")]
      for count in 1...2 { _ = try template.render(Array(turns.prefix(count)), addsGenerationPrompt: count == 1) }
    },
    Reader(name: "rows") { input in
      for ending in ["csv", "tsv", "jsonl", "txt"] {
        let file = "\(input.path)/f.\(ending)"
        try InputFolder.write(input.bytes, to: file)
        defer { try? removeRecursively(file) }
        try? readRows(file)
      }
    },
    Reader(name: "predictions", files: ["f"]) { input in
      _ = try PredictionRecord.read(file: input.path + "/f")
    },
    Reader(name: "model") { input in
      if let model = try fittingModel(input.bytes, in: input.path) { compute(model.decoder) }
    },
    Reader(name: "configuration") { input in
      for name in ["config.json", "adapter_config.json"] {
        let configuration = try Configuration(text: input.bytes, file: name)
        let resolved = configuration.resolvedJSON.pretty
        if try Configuration(text: Array(resolved.utf8), file: name).resolvedJSON.pretty != resolved {
          fail("reads another configuration back from \(resolved)")
        }
      }
    },
    Reader(name: "study", files: ["study.json"]) { input in
      let study = try Study(file: input.path + "/study.json", overrides: [])
      // Most of many cells are alike.
      for condition in study.conditions.prefix(20) {
        for method in study.methods.prefix(20) {
          for choice in study.choices(of: method).prefix(20) {
            _ = try? study.configuration(condition, method, seed: 1, choice: choice)
          }
        }
      }
    },
    Reader(
      name: "adapter",
      files: ["adapter_config.json", "adapter_model.safetensors", "config.json", "head.safetensors"]
    ) { input in
      let adapter = try Adapter(folder: input.path)
      let prompt = try adapter.prompt(over: smallModel.decoder)
      _ = (prompt.projected, adapter.safetensorsFile, adapter.numPyFile)
      if let head = try adapter.head(for: .head, labels: ["a", "b", "c"], decoder: smallModel.decoder) {
        _ = head.logProbabilities(of: [Float](repeating: 1, count: head.width))
      }
      let card = ModelCard(
        of: adapter, kind: .cpt, name: "f", baseModel: nil, record: try AdapterRecord(adapterFolder: input.path))
      _ = card.text
    },
    Reader(name: "checkpoint", files: ["trainer_state.json", "cpt_state.safetensors"]) { input in
      let context = Context(tokenIDs: [1, 2], mask: nil, types: [1, 4])
      let prompt = TunedPrompt(context: context, decoder: smallModel.decoder, radii: .unbounded)
      var checkpoint = Checkpoint(
        prompt: prompt, optimizer: Optimizer(kind: .adamW, weightDecay: 0, count: prompt.initial.count),
        computation: Computation(), rows: (1, 1))
      try checkpoint.read(from: input.path, data: "d", model: "m", totalSteps: 100)
      checkpoint.prompt.project()
    },
    Reader(
      name: "run",
      files: [
        "config.json", "metrics.jsonl", "trainer_state.json", "adapter_config.json", "adapter_model.safetensors",
      ]
    ) { input in
      var run = try RunRecord(folder: input.path)
      try? run.compute(model: smallModel.path, evaluates: false, team: team) { _ in }
      _ = Report([.run(run), .run(run)], version: "").page
      try RunDirectory(input.path).keepMetrics(upTo: 2)
    },
    Reader(
      name: "comparison",
      files: [
        "comparison.json", "times.json", "cpt-seed-0/config.json", "cpt-seed-0/metrics.jsonl",
        "cpt-seed-0/predictions.jsonl",
      ]
    ) { input in
      let comparison = Report.Subject.comparison(try ComparisonRecord(folder: input.path))
      _ = Report([comparison], version: "").page
      _ = Report([comparison, comparison], version: "").page
    },
    Reader(name: "arguments") { input in
      var words = String(decoding: input.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      guard let command = commands.first(where: { $0.name == words.first }) else { return }
      words.removeFirst()
      let arguments = try Arguments(words, of: command)
      _ = command.helpText
      if command.flags.contains(where: { $0.name == "--set" }) {
        _ = try Configuration(text: Array("{}".utf8), file: "f", overrides: arguments.overrides())
      }
    },
  ]
}

/// Turns texts into tokens and back.
private func use(_ tokenizer: Tokenizer, of path: String) throws {
  let special = SpecialTokens(path: path, modelPath: path)
  _ = try? special.id(of: .endOfText, tokenizer: tokenizer)
  _ = tokenizer.addedTokenIDs.map(tokenizer.text)
  for text in [" Hello, wörld! It's 2024:\n\n  naïve  e\u{301} ﬁ 你好 👍🏽\t<s>a</s>  ", "", "ab\u{0}▁Ġ", "\u{FEFF}"] {
    let ids = try tokenizer.encode(text).map(\.id)
    if let id = ids.first(where: { $0 < 0 || $0 >= tokenizer.vocabularySize }) { fail("\(id) is no token") }
    _ = tokenizer.decode(ids)
    _ = ids.map(tokenizer.text)
  }
}

/// Reads a file of rows in every way that a command does.
private func readRows(_ file: String) throws {
  var reader = try RecordReader(file, format: DataFormat(endingOf: file) ?? .lines)
  while let record = try reader.next() { _ = try? record.get() }
  guard reader.format != .lines else { return }
  var configuration = DataConfiguration()
  _ = try? DataFile(file, configuration)
  configuration.hasHeader = false
  configuration.skipsBadRows = true
  configuration.textColumn = "1"
  configuration.labelColumn = "2"
  _ = try? DataFile(file, configuration)
  let data = try DataSurvey(file: file)
  let draft = ConfigurationDraft(
    data: data, siblings: SplitSiblings(of: data), model: nil, output: "runs", path: { $0 })
  _ = try Configuration(text: Array(draft.text.utf8), file: "f")
}

private let team = ThreadTeam(threads: 1)

/// A model of the fixtures, 42 wide.
private let smallModel: FrozenModel = {
  let folder = folder(of: folder(of: #filePath)) + "/Fixtures/parity/model"
  guard let model = try? FrozenModel(path: folder) else { fail("cannot open \(folder)") }
  return model
}()

/// The tensors that configurations of a family asked for.
nonisolated(unsafe) private var shapes: [String: [String: [Int]]] = [:]

/// Opens the model of a config.json with weights made for it: errors say which tensors it wants.
///
/// - Returns: nil for a model that is too large.
private func fittingModel(_ configuration: [UInt8], in folder: String) throws -> FrozenModel? {
  let family = (try? JSON(parsing: configuration, file: ""))?["model_type"]?.string ?? ""
  let folder = folder + "/" + (family.utf8.allSatisfy { $0 > 0x2F && $0 < 0x80 } ? family : "other")
  try makeDirectory(folder)
  try InputFolder.write(configuration, to: folder + "/config.json")
  while true {
    do {
      return try FrozenModel(path: folder)
    } catch let error as InputError {
      guard let (name, shape) = wantedTensor(error) else { throw error }
      let size = shape.reduce(1) { $0 > 1 << 16 || $1 > 1 << 16 ? 1 << 17 : $0 * $1 }
      if size > 1 << 14 || shapes[family, default: [:]].count > 64 || shapes[family]?[name] == shape {
        shapes[family] = nil
        return nil
      }
      shapes[family, default: [:]][name] = shape
      let tensors = shapes[family, default: [:]].map { name, shape in
        FloatTensor(name: name, shape: shape, values: (0..<shape.reduce(1, *)).map { Float($0 % 7 - 3) / 8 })
      }
      try InputFolder.write(safetensors(tensors), to: folder + "/model.safetensors")
    }
  }
}

/// The tensor that an error says is missing, or has another shape.
private func wantedTensor(_ error: InputError) -> (name: String, shape: [Int])? {
  if error.problem.hasPrefix("not found, nor model.safetensors.index.json") { return ("other", [1]) }
  let parts = error.problem.split(separator: "\"")
  guard parts.count > 2, parts[0] == "lacks the tensor " || parts[0] == "tensor ",
    let list = parts[2].split(separator: "[").dropFirst().last?.split(separator: "]").first
  else { return nil }
  return (String(parts[1]), list.split(separator: ", ").compactMap { Int($0) })
}

/// Computes a few tokens forward and backward.
private func compute(_ decoder: Decoder) {
  var tree = TokenTree()
  let count = min(5, decoder.maximumPositions ?? 5)
  tree.append(.tokens((0..<count).map { $0 % decoder.vocabularySize }))
  let targets = (0..<count).map { Target(row: $0, token: decoder.vocabularySize - 1) }
  let pass = decoder.forward(tree, targets: targets, retention: .everything, workspace: Workspace(), on: team)
  decoder.backward(pass, inputSegment: 0, workspace: Workspace(), on: team)
}
