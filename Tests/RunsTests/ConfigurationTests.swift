import FileFormats
import Runs
import System
import Testing
import TestSupport

@Suite struct ConfigurationTests {
  private func read(_ text: String, overrides: [(path: String, value: JSON)] = []) throws -> Configuration {
    try withTemporaryFolder { folder in
      try makeDirectory(folder + "/configs")
      try writeAtomically(text, to: folder + "/configs/c.json")
      return try Configuration(file: folder + "/configs/c.json", overrides: overrides)
    }
  }

  @Test func peftsAdapterConfigIsValid() throws {
    let configuration = try Configuration(file: fixtures + "/parity/adapter-batch3-decay/adapter_config.json")
    #expect(configuration.tokenIDs?.count == 41)
    #expect(configuration.loss.kind == .decay && configuration.loss.decayFactor == 0.95)
    #expect(configuration.baseModel == fixtures + "/parity/model")
  }

  @Test func defaultsAreThoseOfPEFT() throws {
    let configuration = try read("{}")
    #expect(configuration.loss.kind == .none && configuration.loss.decayFactor == 1)
    #expect(configuration.projection.input == 0.1 && configuration.projection.format == 0.1)
    #expect(configuration.training.learningRate == 1e-4 && configuration.training.epochs == 5)
  }

  @Test func overridesReplaceAndAddKeys() throws {
    let configuration = try read(
      #"{"training": {"seed": 1}}"#,
      overrides: [
        ("training.seed", .integer(3)), ("data.context_examples", .integer(4)), ("opt_loss_decay_factor", .number(0.5)),
      ])
    #expect(configuration.training.seed == 3 && configuration.data.contextExamples == 4)
    #expect(configuration.loss.decayFactor == 0.5)
    #expect {
      try read("{}", overrides: [("training.seed", .string("x"))])
    } throws: {
      "\($0)".hasPrefix("--set training.seed: ")
    }
  }

  @Test func writesWhatItReads() throws {
    let text =
      #"{"data": {"label_words": {"0": "bad", "1": "good"}}, "training": {"optim": "sgd", "warmup_ratio": 0.25}}"#
    let configuration = try read(text)
    #expect(try read(configuration.resolvedJSON.pretty) == configuration)
  }

  /// Limits of values: what is just outside is refused in the words of the key's table.
  @Test(arguments: [
    (#"{"training": {"warmup_ratio": 0}}"#, "must be a number above 0 and below 1 or null, found 0"),
    (#"{"data": {"test_fraction": 1}}"#, "must be a number above 0 and below 1 or null, found 1"),
    (#"{"training": {"learning_rate": 0}}"#, "must be a positive number, found 0"),
    (#"{"training": {"max_grad_norm": 0}}"#, "must be a positive number or null, found 0"),
    (#"{"training": {"weight_decay": -1}}"#, "must be a number of at least 0, found -1"),
    (#"{"training": {"batch_size": 0}}"#, "must be a whole number from 1 to 2147483647, found 0"),
    (#"{"training": {"seed": -1}}"#, "must be a whole number from 0 to 2147483647, found -1"),
    (#"{"training": {"max_steps": 2147483648}}"#, "must be a whole number from 1 to 2147483647 or null"),
    (#"{"training": {"max_steps": 1.5}}"#, "must be a whole number"),
    (#"{"training": {"shuffle": 1}}"#, "must be true or false, found 1"),
    (#"{"training": {"memory_limit": 0}}"#, "must be a number of bytes"),
    (#"{"cpt_token_ids": [1, -1]}"#, "must be a list of whole numbers of at least 0"),
    (#"{"cpt_token_ids": []}"#, "must hold at least one token"),
    (#"{"cpt_token_ids": [1], "cpt_mask": [2]}"#, "\"cpt_mask\" must hold only 0 and 1"),
    (#"{"cpt_mask": [1]}"#, "\"cpt_mask\" needs \"cpt_token_ids\""),
    (#"{"cpt_token_ids": [1], "initial_adapter": "a"}"#, "\"initial_adapter\" contradicts \"cpt_token_ids\""),
    (#"{"data": {"label_words": {"a": "x", "b": "x"}}}"#, "all different"),
    (#"{"data": {"label_words": {"a": ""}}}"#, "all different"), (#"{"template": {"input": "{} {}"}}"#, "with one {}"),
    (#"{"data": {"validation_fraction": 0.5, "test_fraction": 0.5}}"#, "leave no training rows"),
    (#"{"data": {"text_column": "a", "label_column": "a"}}"#, "must differ from \"data.text_column\""),
    (#"{"training": {"seed": 1, "seed": 2}}"#, "\"training.seed\" appears twice"),
  ])
  func limitsOfValues(text: String, message: String) {
    #expect {
      try read(text)
    } throws: {
      "\($0)".contains(message)
    }
  }

  @Test(arguments: [(#""6GB""#, 6_000_000_000), (#""800MB""#, 800_000_000), ("1", 1), (#""1.5MB""#, 1_500_000)])
  func amountsOfMemory(value: String, bytes: Int) throws {
    #expect(try read("{\"training\": {\"memory_limit\": \(value)}}").training.memoryLimit == bytes)
  }

  @Test func pathsAreRelativeToTheFile() throws {
    let configuration = try read(
      """
      {"base_model_name_or_path": "m", "tokenizer_name_or_path": "t", "initial_adapter": "a", "output_dir": "o",
       "data": {"train": "1", "validation": "2", "test": "3"}}
      """)
    let data = configuration.data
    let found = [
      configuration.baseModel, configuration.tokenizer, configuration.initialAdapter, configuration.outputDirectory,
      data.train, data.validation, data.test,
    ]
    for (path, name) in zip(found, ["m", "t", "a", "o", "1", "2", "3"]) {
      #expect(path?.hasSuffix("/configs/" + name) == true, "\(name)")
    }
  }

  @Test func everyShippedConfigurationLoads() throws {
    let folder = repository + "/configs"
    let files = [folder, folder + "/quickstart"].flatMap { folder in
      names(inDirectory: folder).filter { $0.hasSuffix(".json") }.map { folder + "/" + $0 }
    }
    #expect(!files.isEmpty)
    for file in files { #expect(throws: Never.self) { try Configuration(file: file) } }
  }

  @Test func everyKeyHasAMeaningAndIsUnique() {
    let reference = Configuration.reference
    #expect(reference.count > 40)
    #expect(Set(reference.map(\.path)).count == reference.count)
    for key in reference { #expect(!key.meaning.isEmpty && !key.expected.isEmpty) }
  }
}
