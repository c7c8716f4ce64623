import FileFormats
import System
import Testing
import TestSupport

/// Each mistake: one line, the right exit code, nothing written.
@Suite struct BadInputTests {
  struct Mistake: CustomTestStringConvertible, Sendable {
    let status: Int32
    let message: String
    let make: @Sendable (inout WorkingExample) throws -> Void

    init(_ status: Int32, _ message: String, _ make: @escaping @Sendable (inout WorkingExample) throws -> Void) {
      self.status = status
      self.message = message
      self.make = make
    }

    var testDescription: String { message }
  }

  static let mistakes = [
    Mistake(66, "no such file or folder") { $0.configuration["base_model_name_or_path"] = .string("nowhere") },
    Mistake(66, "train.tsv: cannot be opened") { $0.set("data", "train", .string("missing/train.tsv")) },
    Mistake(65, "\"training.lerning_rate\" is an unknown key; did you mean \"learning_rate\"?") {
      $0.set("training", "lerning_rate", .number(1))
    },
    Mistake(65, "must be a positive number of at most 1e30, found 1e+100") {
      $0.set("training", "learning_rate", .number(1e100))
    },
    Mistake(65, "\"training.learning_rate\" must be a positive number of at most 1e30, found \"fast\"") {
      $0.set("training", "learning_rate", .string("fast"))
    },
    Mistake(65, "training.memory_limit: is 1 MB; this model with this context takes about") {
      $0.set("training", "memory_limit", .string("1MB"))
    },
    Mistake(65, "\"training.memory_limit\" must be a number of bytes, or a string such as \"6GB\"") {
      $0.set("training", "memory_limit", .string("6 gigs"))
    },
    Mistake(65, "\"opt_projection_epsilon\" must be a number from 0 to 1e30, found -0.1") {
      $0.configuration["opt_projection_epsilon"] = .number(-0.1)
    },
    Mistake(65, "must be one of \"none\", \"decay\"") { $0.configuration["opt_weighted_loss_type"] = .string("dekay") },
    Mistake(65, "\"peft_type\" must be \"CPT\"") { $0.configuration["peft_type"] = .string("LORA") },
    Mistake(65, "\"task_type\" must be \"CAUSAL_LM\"") { $0.configuration["task_type"] = .string("SEQ_CLS") },
    Mistake(65, "\"cpt_mask\" has 2 entries, \"cpt_token_ids\" has 3") {
      $0.configuration["cpt_token_ids"] = .array([.integer(1), .integer(2), .integer(3)])
      $0.configuration["cpt_mask"] = .array([.integer(1), .integer(1)])
    },
    Mistake(65, "outside the model's vocabulary") { $0.configuration["cpt_token_ids"] = .array([.integer(99999)]) },
    Mistake(65, "contradicts \"training.warmup_steps\"") {
      $0.set("training", "warmup_steps", .integer(3))
      $0.set("training", "warmup_ratio", .number(0.1))
    },
    Mistake(65, "contradicts \"data.validation\"") { $0.set("data", "validation_fraction", .number(0.1)) },
    Mistake(65, "\"template.input\" must be a string with {} or {column} in it") {
      $0.set("template", "input", .string("no place"))
    },
    Mistake(65, "has no column \"txt\"; did you mean \"text\"?") { $0.set("data", "text_column", .string("txt")) },
    Mistake(65, "train.tsv:18: the text is empty") { $0.train.append((" ", "billing")) },
    Mistake(65, "train.tsv:18: the label (column \"label\") is empty") { $0.train.append(("x", "")) },
    Mistake(65, "train.tsv:18: expected 2 fields as in the header, found 3") { $0.train.append(("a\tb", "billing")) },
    Mistake(65, "train.tsv:18: label \"sales\" is not one of") {
      $0.set("data", "label_words", .object([.init("delivery", .string("d")), .init("billing", .string("b"))]))
      $0.train.append(("x", "sales"))
    },
    Mistake(65, "train.tsv:18: label \"Bil ling\" is not one of \"delivery\", \"billing\"; it differs from \"billing\"")
    {
      $0.set("data", "label_words", .object([.init("delivery", .string("d")), .init("billing", .string("b"))]))
      $0.train.append(("x", "Bil ling"))
    },
    Mistake(65, "train.tsv: holds no rows that can be read; the first of 16 that cannot: ") {
      $0.set("data", "skip_bad_rows", .bool(true))
      $0.train = $0.train.map { ($0.0, " ") }
    },
    Mistake(65, "train.tsv: has no column \"text\": data.header is false, so its columns are \"1\" to \"2\"") {
      $0.set("data", "header", .bool(false))
    },
    Mistake(65, "train.tsv:1: has no column \"txt\"; expected one of My parcel is late again., delivery (set") {
      $0.set("data", "text_column", .string("txt"))
      $0.columns = ("My parcel is late again.", "delivery")
    },
    Mistake(65, "data.class_weights: label \"Billing\" is not one of \"billing\", \"delivery\"; it differs from") {
      $0.set("data", "class_weights", .object([.init("Billing", .number(2))]))
    },
    Mistake(65, "gives weights to \"a\" and \"delivery\", which are one class") {
      let words = [("delivery", "d"), ("billing", "b"), ("a", "d")]
      $0.set("data", "label_words", .object(words.map { .init($0.0, .string($0.1)) }))
      $0.set("data", "class_weights", .object([.init("a", .number(2)), .init("delivery", .number(1))]))
    },
    Mistake(65, "positions, the model has") {
      $0.train.append((Array(repeating: "parcel", count: 800).joined(separator: " "), "billing"))
      $0.set("data", "train_on", .string("all"))
      $0.set("data", "context_examples", .integer(2))
    },
    Mistake(65, "which could never win") {
      $0.set("data", "label_words", .object([.init("delivery", .string("one")), .init("billing", .string("one two"))]))
    },
    // Without rows to validate on, too.
    Mistake(65, "which could never win") {
      $0.set("data", "label_words", .object([.init("delivery", .string("1")), .init("billing", .string("10"))]))
      $0.set("data", "validation", .null)
      $0.set("data", "test", .null)
    },
    Mistake(65, "train.tsv:2: has the label \"billing\" like every row to train on") {
      $0.train = $0.train.map { ($0.0, "billing") }
      $0.set("data", "train_on", .string("all"))
      $0.set("data", "validation", .null)
    },
    Mistake(65, "train.tsv:18: the label (column \"label\") is empty") { $0.train.append(("x", "  ")) },
    Mistake(65, "train.tsv:18: repeats the header") { $0.train.append(("text", "label")) },
    Mistake(65, "at least") {
      $0.train.append((String(repeating: "parcel", count: 20_000), "billing"))
      $0.set("data", "train_on", .string("all"))
    },
    Mistake(65, "draws 0 of 16 rows") {
      $0.set("data", "validation", .null)
      $0.set("data", "validation_fraction", .number(0.001))
    },
    Mistake(65, "num_virtual_tokens: is 3") { $0.configuration["num_virtual_tokens"] = .integer(3) },
    Mistake(65, "training rows, the context needs 99") { $0.set("data", "context_examples", .integer(99)) },
  ]

  @Test(arguments: mistakes)
  func isOneLineWithTheRightExitCode(mistake: Mistake) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try mistake.make(&example)
      try example.write()
      let outcome = try example.trainRun()
      #expect(outcome.status == mistake.status, "\(outcome.errors)")
      #expect(
        outcome.errorLine.hasPrefix("cpt: error: ") && outcome.errorLine.contains(mistake.message), "\(outcome.errors)")
      #expect(outcome.output.isEmpty)
      #expect(names(inDirectory: folder) == ["config.json", "train.tsv"])
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }

  /// A model folder with one thing wrong.
  @Test(arguments: [
    (66, "config.json: not found", "no config"), (65, "model_type", "family"),
    (66, "model.safetensors: not found", "no weights"),
    (65, "is the download complete?", "truncated"), (65, "lacks the tensor", "more layers"),
    (65, "config.json asks for", "wider feed-forward"), (65, "\"n_head\" must be a divisor", "heads"),
    (65, "\"activation_function\" must be one of", "activation"), (65, "the loss is not finite", "not a number"),
    (65, "train.tsv:2: the model's probabilities are not finite", "not a number, with validation rows"),
  ])
  func brokenModelsAreNamed(status: Int, message: String, kind: String) throws {
    try withTemporaryFolder { folder in
      let source = repository + "/configs/quickstart/model"
      try makeDirectory(folder + "/model")
      for name in names(inDirectory: source) {
        try writeAtomically(readBytes(of: source + "/" + name), to: folder + "/model/" + name)
      }
      func change(_ key: String, _ value: JSON) throws {
        let members = (try JSON.read(file: folder + "/model/config.json").object ?? []).filter { $0.key != key }
        try writeAtomically(JSON.object(members + [.init(key, value)]).compact, to: folder + "/model/config.json")
      }
      let weights = folder + "/model/model.safetensors"
      switch kind {
      case "no config": try removeRecursively(folder + "/model/config.json")
      case "family": try change("model_type", .string("t5"))
      case "no weights": try removeRecursively(weights)
      case "truncated": try writeAtomically(Array(readBytes(of: weights).dropLast(1000)), to: weights)
      case "more layers": try change("n_layer", .integer(50))
      case "wider feed-forward": try change("n_inner", .integer(77))
      case "heads": try change("n_head", .integer(7))
      case "not a number", "not a number, with validation rows":
        var bytes = try readBytes(of: weights)
        let tensor = try #require(SafetensorsFile(path: weights)["transformer.h.0.ln_1.bias"])
        let offset = try #require(tensor.bytes.baseAddress) - #require(tensor.file.bytes.baseAddress)
        bytes[offset] = 0
        bytes[offset + 1] = 0x7E
        try writeAtomically(bytes, to: weights)
      default: try change("activation_function", .string("tanhshrink"))
      }
      var example = WorkingExample(in: folder)
      example.configuration["base_model_name_or_path"] = .string("model")
      if kind == "not a number" { example.set("data", "validation", .null) }
      try example.write()
      let outcome = try example.trainRun()
      #expect(outcome.status == Int32(status), "\(outcome.errors)")
      #expect(outcome.errorLine.contains(message), "\(outcome.errors)")
      // A run that fails in its first step leaves no adapter.
      #expect(
        names(inDirectory: folder + "/run").allSatisfy { ["config.json", "cpt.lock", "metrics.jsonl"].contains($0) })
    }
  }

  /// What a command reads, it does not write over.
  @Test func inputsStay() throws {
    try withCheckpoint { folder in
      for arguments in [
        ["init", "--data", "train.tsv", "--output", "train.tsv"],
        ["init", "--data", "train.tsv", "--output", "./run/config.json"],
        ["report", "run", "--output", "run/metrics.jsonl"],
        ["export-prompt", "--checkpoint", "run", "--format", "npy", "--output", "run/adapter_model.safetensors"],
        ["eval", "--checkpoint", "run", "--data", "train.tsv", "--predictions", "train.tsv"],
      ] {
        let before = try readBytes(of: folder + "/" + (arguments.last ?? ""))
        let outcome = try Program.run(arguments + ["--overwrite"], in: folder)
        #expect(outcome.status == 64 && outcome.errorLine.contains("choose another --"), "\(outcome.errors)")
        #expect(try readBytes(of: folder + "/" + (arguments.last ?? "")) == before)
      }
    }
  }
}
