import Diagnostics
import FileFormats
import Method
import System

/// Everything a run depends on: PEFT's CPTConfig and sections for template, data and training.
///
/// The file is a JSON object and may have `//` comments. PEFT's own `adapter_config.json` is valid too, also that of a
/// later version with keys unknown here. Paths are relative to the file, and those of standard input to the current
/// folder.
package struct Configuration: Sendable, Equatable {
  // PEFT's fields, under its names.
  var peftType = "CPT"
  var taskType: String? = "CAUSAL_LM"
  package var baseModel: String?
  package var tokenizer: String?
  var revision: JSON = .null
  var inferenceMode = false
  var autoMapping: JSON = .null
  package var tokenDimension: Int?
  var layers: Int?
  var attentionHeads: Int?
  var transformerSubmodules: Int? = 1
  package var virtualTokens: Int?
  var modulesToSave: JSON = .null
  var peftVersion: JSON = .null
  package var tokenIDs: [Int]?
  package var mask: [Int]?
  package var tokenTypes: [Int]?
  package var loss = WeightedLoss()
  package var projection = ProjectionRadii()

  // Ours.
  package var template = Template() { didSet { data.input = template.inputPattern } }
  package var data = DataConfiguration()
  package var training = TrainingConfiguration()
  package var promptTuning = PromptTuningConfiguration()
  package var head = HeadConfiguration()
  package var model = ModelConfiguration()
  /// An adapter folder to continue from; its token ids are the context.
  package var initialAdapter: String?
  package var outputDirectory: String?

  /// The keys of an `adapter_config.json` that this version does not know; like PEFT, it ignores them.
  package internal(set) var ignoredKeys: [String] = []

  package init() {}
}

extension Configuration: ConfigurationSection {
  package static let fields: [Field<Configuration>] = [
    Field("peft_type", \.peftType, .text, "PEFT's name of the method; always \"CPT\""),
    Field("task_type", \.taskType, .null(or: .text), "PEFT's name of the task; always \"CAUSAL_LM\""),
    Field(
      "base_model_name_or_path", \.baseModel, .null(or: .text),
      "the frozen model: a folder of Hugging Face, or a GGUF file"),
    Field("tokenizer_name_or_path", \.tokenizer, .null(or: .text), "folder of the tokenizer; null: the model's"),
    Field(
      "cpt_token_ids", \.tokenIDs, .null(or: .wholeNumbers),
      "token ids of the context; null: built from training examples"),
    Field(
      "cpt_mask", \.mask, .null(or: .wholeNumbers),
      "1 for context tokens that count, 0 for those left out; null: all count"),
    Field(
      "cpt_tokens_type_mask", \.tokenTypes, .null(or: .wholeNumbers),
      "type of each context token: 0 none, else 1 input template, 2 input, 3 output template, 4 label, plus 4 for each earlier example"
    ),
    Field(
      "opt_weighted_loss_type", \.loss.kind, .choice, "\"decay\": earlier labels count less; \"none\": all count 1"),
    Field(
      "opt_loss_decay_factor", \.loss.decayFactor, .nonNegative, "weight of a label group relative to the one after it"),
    Field(
      "opt_projection_epsilon", \.projection.input, .nonNegative,
      "radius of an input token's ball, times sqrt(width / 2048)"),
    Field(
      "opt_projection_format_epsilon", \.projection.format, .nonNegative,
      "radius of a template token's ball, times sqrt(width / 2048)"),
    .section("template", \.template, "how an example becomes text"),
    .section("data", \.data, "where examples come from"),
    .section("training", \.training, "how the prompt is optimised"),
    .section(
      "prompt_tuning", \.promptTuning,
      "the virtual tokens of methods that train them"),
    .section("head", \.head, "the classifier of the method \"head\""),
    .section("model", \.model, "how the frozen model is held in memory"),
    Field(
      "initial_adapter", \.initialAdapter, .null(or: .text),
      "folder of a CPT adapter to continue from (its tokens, its prompt)"),
    Field("output_dir", \.outputDirectory, .null(or: .text), "folder for checkpoints, metrics and the adapter"),
    Field("revision", \.revision, .anything, "PEFT: revision of the base model; kept unchanged"),
    Field(
      "inference_mode", \.inferenceMode, .flag, "PEFT: whether the adapter was saved for inference; kept unchanged"),
    Field("auto_mapping", \.autoMapping, .anything, "PEFT: kept unchanged"),
    Field(
      "token_dim", \.tokenDimension, .null(or: .integer(from: 1)),
      "PEFT: width of the embeddings; checked against the model"),
    Field("num_layers", \.layers, .null(or: .integer(from: 1)), "PEFT: kept unchanged"),
    Field("num_attention_heads", \.attentionHeads, .null(or: .integer(from: 1)), "PEFT: kept unchanged"),
    Field("num_transformer_submodules", \.transformerSubmodules, .null(or: .integer(from: 1)), "PEFT: always 1"),
    Field(
      "num_virtual_tokens", \.virtualTokens, .null(or: .integer(from: 1)),
      "PEFT: number of context tokens; checked against them"),
    Field("modules_to_save", \.modulesToSave, .anything, "PEFT: modules trained beside the prompt; must be null"),
    Field("peft_version", \.peftVersion, .anything, "PEFT: version that wrote the file; kept unchanged"),
  ]
}

extension Configuration {
  /// Reads a configuration file, applies `--set` overrides, resolves its paths, and checks that its values agree.
  ///
  /// An override is a dotted path ("training.seed") and a value.
  ///
  /// - Throws: `InputError` naming file and key.
  package init(file: String, overrides: [(path: String, value: JSON)] = []) throws {
    try self.init(text: Self.text(of: file), file: file, overrides: overrides)
  }

  /// The path of standard input.
  package static let standardInput = "-"

  /// The contents of a configuration file, or of standard input for `-`.
  ///
  /// - Throws: `InputError.missing` when it cannot be read.
  package static func text(of file: String) throws -> [UInt8] {
    try readBytes(of: file == standardInput ? "/dev/stdin" : file, streams: true)
  }

  /// The same for the contents of a configuration file, which need not exist yet.
  package init(text: [UInt8], file: String, overrides: [(path: String, value: JSON)] = []) throws {
    try self.init(json: Self.json(text, file: file), file: file, overrides: overrides)
  }

  /// The object that a configuration file holds.
  ///
  /// - Throws: `InputError.badData` for a syntax error.
  package static func json(_ text: [UInt8], file: String) throws -> JSON {
    try JSON(parsing: text, file: file, allowing: isAdapter(file) ? [.comments, .nonFinite] : .comments)
  }

  private static func isAdapter(_ file: String) -> Bool { lastComponent(of: file) == Adapter.configurationFile }

  /// The same for the object of a configuration file, or of some other file, to which its paths are relative.
  package init(json: JSON, file: String, overrides: [(path: String, value: JSON)] = []) throws {
    var json = json
    for override in overrides {
      json = try json.setting(
        override.path.split(separator: ".", omittingEmptySubsequences: false).map(String.init), to: override.value)
    }
    let origin = FieldOrigin(
      file, otherPlaces: Dictionary(overrides.map { ($0.path, "--set \($0.path)") }) { first, _ in first })
    self.init()
    if Self.isAdapter(file), case .object(let members) = json {
      let known = Self.fields.map(\.name)
      json = .object(members.filter { known.contains($0.key) })
      ignoredKeys = members.map(\.key).filter { !known.contains($0) }
    }
    try read(json, origin)
    if template.isChat {
      // The chat template has words of its own around the turns.
      let given = json["template"]
      if given?["input"] == nil { template.input = "{}" }
      if given?["output"] == nil { template.output = "{}" }
    }
    try validate(origin)
    let isRead = file == Self.standardInput || file.hasPrefix("/dev/") || isStream(file)
    resolvePaths(relativeTo: isRead ? "." : folder(of: file))
  }

  private mutating func resolvePaths(relativeTo folder: String) {
    for path in Self.paths { self[keyPath: path] = self[keyPath: path].map { resolve($0, relativeTo: folder) } }
  }

  static let paths: [WritableKeyPath<Configuration, String?> & Sendable] = [
    \.baseModel, \.tokenizer, \.initialAdapter, \.outputDirectory, \.data.train, \.data.validation, \.data.test,
  ]

  /// Whether the value of a key is a list.
  package static func takesList(_ key: String) -> Bool {
    ["cpt_token_ids", "cpt_mask", "cpt_tokens_type_mask"].contains(key)
  }

  /// The keys whose values are sections.
  package static var sections: [String] { fields.filter { !$0.inner.isEmpty }.map(\.name) }

  /// Every key with its value, all paths absolute: the resolved configuration a run writes beside its results.
  package var resolvedJSON: JSON {
    var copy = self
    for path in Self.paths { copy[keyPath: path] = copy[keyPath: path].map(absolutePath) }
    return copy.json
  }

  /// The configuration as its method uses it: virtual tokens have a ball of their own or none, and only the example's
  /// label has weight.
  package func applyingMethod() -> Configuration {
    guard training.method.trainsVirtualTokens else { return self }
    var copy = self
    copy.projection = promptTuning.projectionEpsilon.map { ProjectionRadii(input: $0, format: $0) } ?? .unbounded
    copy.loss = WeightedLoss()
    return copy
  }

  /// Whether the context has examples.
  package var showsExamples: Bool {
    switch training.method {
    case .cpt, .icl, .instructionPromptTuning: true
    case .promptTuning: false
    case .head: head.showsContext
    }
  }

  private func validate(_ origin: FieldOrigin) throws {
    func require(_ condition: Bool, _ key: String, _ problem: @autoclosure () -> String) throws {
      if !condition { throw origin.error(key, problem()) }
    }
    try require(peftType == "CPT", "peft_type", "must be \"CPT\", found \"\(peftType)\"")
    try require(
      taskType == "CAUSAL_LM", "task_type", "must be \"CAUSAL_LM\", found \(taskType.map { "\"\($0)\"" } ?? "null")")
    try require(modulesToSave.isNull, "modules_to_save", "must be null: nothing but the prompt is trained")
    try require(transformerSubmodules ?? 1 == 1, "num_transformer_submodules", "must be 1 for a decoder")
    if let tokenIDs {
      try require(!tokenIDs.isEmpty, "cpt_token_ids", "must hold at least one token, or be null")
      for (key, list) in [("cpt_mask", mask), ("cpt_tokens_type_mask", tokenTypes)] {
        if let list {
          try require(
            list.count == tokenIDs.count, key,
            "has \(list.count) entries, \"cpt_token_ids\" has \(tokenIDs.count); they must be equal")
        }
      }
      if let virtualTokens {
        try require(
          virtualTokens == tokenIDs.count, "num_virtual_tokens",
          "is \(virtualTokens), \"cpt_token_ids\" has \(tokenIDs.count)")
      }
      try require(initialAdapter == nil, "initial_adapter", "contradicts \"cpt_token_ids\": the adapter brings its own")
    } else {
      for (key, isSet) in [("cpt_mask", mask != nil), ("cpt_tokens_type_mask", tokenTypes != nil)] {
        try require(!isSet, key, "needs \"cpt_token_ids\"")
      }
    }
    try require(
      initialAdapter == nil || training.method == .cpt, "initial_adapter",
      "is for training.method \"cpt\", found \"\(training.method.rawValue)\"; remove one of them")
    if training.leavesOneOut {
      try require(
        training.method == .cpt, "training.leave_one_out",
        "is for training.method \"cpt\", found \"\(training.method.rawValue)\"; set it to false (in a comparison: "
          + "--set cpt:training.leave_one_out=true)")
      try require(
        tokenIDs == nil && initialAdapter == nil, "training.leave_one_out",
        "needs a context built from examples; remove it, or "
          + (tokenIDs == nil ? "\"initial_adapter\"" : "\"cpt_token_ids\""))
      try require(
        data.trainOn != .rest, "training.leave_one_out",
        "needs \"data.train_on\" \"context\" or \"all\": with \"rest\", no step trains on an example of the context")
    }
    if let mask { try require(mask.allSatisfy { $0 <= 1 }, "cpt_mask", "must hold only 0 and 1") }
    try template.validate(origin.inside("template"), labelColumn: data.labelColumn)
    try data.validate(origin.inside("data"))
    try training.validate(origin.inside("training"))
    try promptTuning.validate(origin.inside("prompt_tuning"))
    try head.validate(origin.inside("head"))
    if training.method == .head {
      try require(
        data.classWeights == nil, "data.class_weights",
        "is for methods that take steps, found the method \"head\"; remove it (in a comparison: "
          + "--set cpt:data.class_weights=…)")
      try require(
        !head.showsContext || data.trainOn != .context, "data.train_on",
        "is \"context\", and with \"head.context\" those rows would see themselves and their labels; use \"rest\"")
    }
  }
}

extension JSON {
  /// A configuration's object with the keys of another one replaced or added, section by section.
  package func replacingSettings(by other: JSON) -> JSON {
    func merged(_ old: JSON?, _ new: JSON, depth: Int) -> JSON {
      guard depth > 0, case .object(var members) = old, case .object(let replacements) = new else { return new }
      for one in replacements {
        if let index = members.firstIndex(where: { $0.key == one.key }) {
          members[index] = Member(one.key, merged(members[index].value, one.value, depth: depth - 1))
        } else {
          members.append(one)
        }
      }
      return .object(members)
    }
    // The members of a section are values, even if they are objects.
    return merged(self, other, depth: 2)
  }

  /// The value with the member at a path of keys replaced or added; missing objects on the path are created.
  fileprivate func setting(_ path: [String], to value: JSON) throws -> JSON {
    guard let key = path.first else { return value }
    guard case .object(var members) = isNull ? .object([]) : self else {
      throw InputError.usage("--set", "\"\(key)\" is inside a value that is not an object")
    }
    let rest = Array(path.dropFirst())
    if let index = members.firstIndex(where: { $0.key == key }) {
      members[index] = Member(key, try members[index].value.setting(rest, to: value))
    } else {
      members.append(Member(key, try JSON.null.setting(rest, to: value)))
    }
    return .object(members)
  }
}
