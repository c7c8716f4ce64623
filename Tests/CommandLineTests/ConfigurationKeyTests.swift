import FileFormats
import Runs
import System
import Testing
import TestSupport

/// Every key of a configuration has an effect: a key that is read and then ignored fails here.
@Suite struct ConfigurationKeyTests {
  /// What a key changes.
  enum Effect: Sendable {
    /// What the run writes, but for its copies of the configuration: metrics, prompts, the names of its files.
    case run
    /// A number of `cpt train --dry-run`: with the other value, and with this one.
    case fact(String, Int, Int)
    /// The value is found in a file of the run.
    case copied(to: String)
    /// The run writes into this folder.
    case folder(String)
    /// The run is refused.
    case refused(String)
    /// Rows that `cpt eval` scores afterwards, before and after.
    case evaluated(Int, Int)
  }

  struct Case: CustomTestStringConvertible, Sendable {
    let key: String
    let value: JSON
    /// The value it is compared with; nil: the example's, or the default.
    let other: JSON?
    /// What other keys are set to in both runs.
    let given: [(String, JSON)]
    let effect: Effect

    init(
      _ key: String, _ value: JSON, against other: JSON? = nil, given: [(String, JSON)] = [], _ effect: Effect
    ) {
      self.key = key
      self.value = value
      self.other = other
      self.given = given
      self.effect = effect
    }

    var testDescription: String { key }
  }

  private static let tokens = ("cpt_token_ids", JSON.array([5, 6, 7].map(JSON.integer)))
  private static let decay = ("opt_weighted_loss_type", JSON.string("decay"))
  private static let sgd = ("training.optim", JSON.string("sgd"))
  private static let separated = ("template.emit_inter_separator", JSON.bool(true))
  private static let virtual = ("training.method", JSON.string("prompt_tuning"))
  private static let head = ("training.method", JSON.string("head"))
  private static let text = ("prompt_tuning.prompt_tuning_init", JSON.string("text"))
  private static let noValidation = ("data.validation", JSON.null), noTest = ("data.test", JSON.null)

  /// Of the example below: 16 rows, 4 of them in the context and 4 to validate on; 4 steps of 3 rows.
  static let cases = [
    Case("peft_type", .string("LORA"), .refused("\"peft_type\" must be \"CPT\"")),
    Case("task_type", .string("SEQ_CLS"), .refused("\"task_type\" must be")),
    Case("base_model_name_or_path", .string("nowhere"), .refused("nowhere: no such file or folder")),
    Case("tokenizer_name_or_path", .string("nowhere"), .refused("nowhere")),
    Case("cpt_token_ids", .array([5, 6, 7].map(JSON.integer)), .fact("training_examples", 12, 16)),
    Case("cpt_mask", .array([1, 0, 1].map(JSON.integer)), given: [tokens], .fact("context_tokens", 3, 2)),
    Case("cpt_tokens_type_mask", .array([1, 2, 4].map(JSON.integer)), given: [tokens], .run),
    Case("opt_weighted_loss_type", .string("decay"), given: [("opt_loss_decay_factor", .number(0.5))], .run),
    Case("opt_loss_decay_factor", .number(0.5), given: [decay], .run),
    Case("opt_projection_epsilon", .number(0.01), .run),
    Case("opt_projection_format_epsilon", .number(0.01), .run),
    Case("template.input", .string("message: {}"), .run),
    Case("template.intra_separator", .string("\n"), .run),
    Case("template.output", .string("team: {}"), .run),
    Case("template.inter_separator", .string("!"), given: [separated], .run),
    Case("template.emit_inter_separator", .bool(true), .run),
    Case("template.tokenization", .string("whole"), .run),
    Case("template.end_of_text", .bool(true), .run),
    Case("template.beginning_of_text", .bool(true), .run),
    Case("template.chat", .bool(true), .refused("has no chat template")),
    Case("template.system", .string("a"), .refused("needs \"template.chat\"")),
    Case("data.train", .string("nowhere.tsv"), .refused("nowhere.tsv: cannot be opened")),
    Case("data.validation", .null, .fact("validation_examples", 4, 0)),
    Case("data.test", .string("nowhere.tsv"), .refused("nowhere.tsv: cannot be opened")),
    Case("data.validation_fraction", .number(0.25), given: [noValidation], .fact("validation_examples", 0, 4)),
    Case("data.test_fraction", .number(0.25), given: [noTest], .fact("training_examples", 12, 8)),
    Case("data.header", .bool(false), .refused("data.header is false")),
    Case(
      "data.skip_bad_rows", .bool(true), given: [("data.validation", .string("config.json"))],
      .refused("config.json: holds no rows that can be read")),
    Case("data.text_column", .string("message"), .refused("has no column \"message\"")),
    Case("data.label_column", .string("team"), .refused("has no column \"team\"")),
    Case("data.label_words", .object([.init("delivery", .string("a")), .init("billing", .string("b"))]), .run),
    Case("data.context_examples", .integer(2), .fact("training_examples", 12, 14)),
    Case("data.context_examples_per_label", .integer(3), .fact("training_examples", 12, 10)),
    // Of the first four rows that this seed draws, three have one label.
    Case("data.balanced_context", .bool(false), given: [("training.seed", .integer(2))], .run),
    Case("data.train_on", .string("all"), .fact("training_examples", 12, 16)),
    Case("data.train_examples_per_label", .integer(3), .fact("training_examples", 12, 2)),
    Case("data.validation_folds", .integer(4), given: [noValidation], .fact("validation_examples", 0, 4)),
    Case(
      "data.validation_fold", .integer(1), against: .integer(0),
      given: [noValidation, ("data.validation_folds", .integer(4))], .run),
    Case("data.max_test_examples", .integer(5), .evaluated(16, 5)),
    Case("data.max_train_examples", .integer(5), .fact("training_examples", 12, 5)),
    Case("data.max_validation_examples", .integer(5), .evaluated(4, 5)),
    // Of too long a text everything is cut, and that is not enough.
    Case(
      "data.truncate_text", .bool(true), given: [("template.input", .string("{} " + filler(600)))],
      .refused("even without its text")),
    Case("data.class_weights", .object([.init("billing", .number(3))]), .run),
    Case("training.method", .string("icl"), .fact("total_steps", 4, 0)),
    Case("training.learning_rate", .number(0.02), .run),
    Case(
      "training.num_train_epochs", .number(2.5), given: [("training.max_steps", .null)], .fact("total_steps", 20, 10)),
    Case("training.max_steps", .integer(3), .fact("total_steps", 4, 3)),
    Case("training.batch_size", .integer(4), .fact("steps_per_epoch", 4, 3)),
    Case("training.gradient_accumulation_steps", .integer(2), .fact("steps_per_epoch", 4, 2)),
    Case("training.memory_limit", .string("1MB"), .refused("training.memory_limit: is 1 MB")),
    Case("training.optim", .string("sgd"), .run),
    Case("training.weight_decay", .number(0.5), .run),
    Case("training.lr_scheduler_type", .string("constant"), .run),
    Case("training.warmup_steps", .integer(3), .run),
    Case("training.warmup_ratio", .number(0.5), .run),
    Case("training.max_grad_norm", .number(0.001), given: [sgd], .run),
    Case("training.seed", .integer(1), .run),
    Case("training.shuffle", .bool(false), .run),
    Case("training.leave_one_out", .bool(true), given: [("data.train_on", .string("all"))], .run),
    Case("training.context_dropout", .number(0.5), .run),
    Case("training.eval_steps", .integer(2), .run),
    Case("training.save_steps", .integer(3), .run),
    Case("training.save_total_limit", .integer(1), .run),
    Case("training.metric_for_best_model", .string("loss"), .run),
    Case("training.early_stopping_patience", .integer(1), given: [("training.eval_steps", .integer(1))], .run),
    Case("training.report_to", .string("tensorboard"), .run),
    Case("prompt_tuning.num_virtual_tokens", .integer(7), given: [virtual], .fact("context_tokens", 20, 7)),
    Case("prompt_tuning.prompt_tuning_init", .string("text"), .refused("prompt_tuning_init_text\" is missing")),
    Case(
      "prompt_tuning.prompt_tuning_init_text", .string("sort"), against: .string("refund"), given: [virtual, text],
      .run),
    Case("head.classifier", .string("centroid"), given: [head], .run),
    Case("head.context", .bool(true), given: [head], .fact("training_examples", 16, 12)),
    Case("head.strength", .number(0.5), given: [head], .run),
    Case("prompt_tuning.projection_epsilon", .number(0.01), given: [virtual], .run),
    Case("model.weights", .string("q8"), .run),
    Case("initial_adapter", .string("nowhere"), .refused("nowhere/adapter_config.json: not found")),
    Case("output_dir", .string("elsewhere"), .folder("elsewhere")),
    Case("revision", .string("main"), .copied(to: "adapter_config.json")),
    Case("inference_mode", .bool(true), .copied(to: "config.json")),
    Case("auto_mapping", .string("x"), .copied(to: "config.json")),
    Case("token_dim", .integer(77), .refused("token_dim: is 77")),
    Case("num_layers", .integer(77), .copied(to: "config.json")),
    Case("num_attention_heads", .integer(77), .copied(to: "config.json")),
    Case("num_transformer_submodules", .integer(2), .refused("\"num_transformer_submodules\" must be 1")),
    Case("num_virtual_tokens", .integer(3), .refused("num_virtual_tokens: is 3")),
    Case("modules_to_save", .array([]), .refused("\"modules_to_save\" must be null")),
    Case("peft_version", .string("0"), .copied(to: "config.json")),
  ]

  private static func filler(_ words: Int) -> String { Array(repeating: "parcel", count: words).joined(separator: " ") }

  @Test func everyKeyIsThere() {
    #expect(Self.cases.map(\.key).sorted() == Configuration.reference.map(\.path).sorted())
  }

  /// Trains in a folder with keys set so.
  private static func train(_ settings: [(String, JSON)], _ flags: [String] = [], in folder: String) throws
    -> Program.Outcome
  {
    var example = WorkingExample(in: folder)
    example.set("data", "max_validation_examples", .integer(4))
    example.set("training", "max_steps", .integer(4))
    example.set("training", "eval_steps", .integer(3))
    try example.write()
    let overrides = settings.flatMap { ["--set", "\($0.0)=\($0.1.compact)"] }
    return try example.trainRun(["--threads", "1"] + overrides + flags)
  }

  /// What a run with keys set so computes.
  private static func result(_ settings: [(String, JSON)]) throws -> [String: [UInt8]] {
    try withTemporaryFolder { folder in
      let outcome = try train(settings, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try contents(of: folder + "/run")
    }
  }

  /// Of the example as it is.
  private static let plainResult = Result { try result([]) }

  @Test(arguments: cases)
  func hasItsEffect(item: Case) throws {
    let others = item.given + (item.other.map { [(item.key, $0)] } ?? [])
    let settings = item.given + [(item.key, item.value)]
    if case .run = item.effect {
      let other = try others.isEmpty ? Self.plainResult.get() : Self.result(others)
      #expect(try Self.result(settings) != other)
      return
    }
    try withTemporaryFolder { folder in
      func fact(_ name: String, _ settings: [(String, JSON)]) throws -> Int? {
        try Self.train(settings, ["--dry-run", "--json"], in: folder).json()[name]?.integer
      }
      switch item.effect {
      case .run: break
      case .fact(let name, let before, let after):
        #expect(try fact(name, others) == before)
        #expect(try fact(name, settings) == after)
      case .evaluated(let before, let after):
        for (settings, rows) in [(others, before), (settings, after)] {
          #expect(try Self.train(settings, ["--overwrite"], in: folder).status == 0)
          let split = item.key.contains("validation") ? "validation" : "test"
          #expect(
            try Program.run(["eval", "--checkpoint", "run", "--split", split, "--json"], in: folder).json()["rows"]
              == .integer(rows))
        }
      case .copied(let file):
        #expect(try Self.train(settings, in: folder).status == 0)
        #expect(try JSON.read(file: folder + "/run/" + file)[item.key] == item.value)
      case .folder(let name):
        #expect(try Self.train(settings, in: folder).status == 0)
        #expect(names(inDirectory: folder) == ["config.json", name, "train.tsv"])
      case .refused(let message):
        let outcome = try Self.train(settings, in: folder)
        #expect(outcome.status >= 64 && outcome.errorLine.contains(message), "\(outcome.errors)")
      }
    }
  }

  /// Values of Hugging Face's files, and those that mean the same. Of 4 steps.
  @Test(arguments: [
    ("training.eval_steps", JSON.number(0.3), JSON.integer(2)), ("training.save_steps", .number(0.6), .integer(3)),
    ("training.warmup_steps", .number(0.3), .integer(2)), ("training.max_grad_norm", .integer(0), .null),
    ("training.save_total_limit", .integer(0), .null), ("training.warmup_ratio", .number(0), .null),
    // Six rows of each label are trained on.
    ("data.class_weights", .string("balanced"), .null),
    ("data.class_weights", .object([.init(" billing", .integer(2)), .init("delivery", .integer(2))]), .null),
  ])
  func meansTheSame(key: String, value: JSON, meaning: JSON) throws {
    #expect(try Self.result([(key, value)]) == Self.result([(key, meaning)]))
  }

  /// What a run has computed, by file: without the clock's numbers, and without copies of the configuration.
  private static func contents(of folder: String, at path: String = "") throws -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in names(inDirectory: folder + path) where !["config.json", "adapter_config.json"].contains(name) {
      let place = path + "/" + name
      if name == "tensorboard" {
        found[place] = []
      } else if isDirectory(folder + place) {
        try found.merge(contents(of: folder, at: place)) { $1 }
      } else if name == "metrics.jsonl" {
        found[place] = try metrics(in: folder, with: "step").flatMap { line in
          let members = (line.object ?? []).filter { !["examples_per_second", "elapsed_seconds"].contains($0.key) }
          return Array(JSON.object(members).compact.utf8)
        }
      } else {
        found[place] = try readBytes(of: folder + place)
      }
    }
    return found
  }
}
