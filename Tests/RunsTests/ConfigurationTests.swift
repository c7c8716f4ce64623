import Diagnostics
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
    (#"{"training": {"warmup_ratio": 1.5}}"#, "must be a number from 0 to 1 or null, found 1.5"),
    (#"{"training": {"warmup_ratio": 0.1, "warmup_steps": 0.2}}"#, "contradicts \"training.warmup_steps\""),
    (#"{"training": {"warmup_steps": 1.5}}"#, "or a share of all steps above 0 and below 1, found 1.5"),
    (#"{"training": {"eval_steps": 0}}"#, "a whole number from 1 to 2147483647, or a share of all steps above 0"),
    (#"{"training": {"save_steps": -0.5}}"#, "above 0 and below 1 or null, found -0.5"),
    (#"{"training": {"max_steps": 0}}"#, "must be a whole number from 1 to 2147483647, or null or -1, found 0"),
    (#"{"training": {"save_total_limit": -1}}"#, "or null or 0, found -1"),
    (
      #"{"training": {"report_to": ["tensorboard", "none"]}}"#, "must be one of \"none\", \"tensorboard\", found a list"
    ),
    (#"{"training": {"report_to": "wandb"}}"#, "must be one of \"none\", \"tensorboard\", found \"wandb\""),
    (#"{"training": {"optim": "adafactor"}}"#, "must be one of \"adamw\", \"sgd\", found \"adafactor\""),
    (#"{"training": {"lr_scheduler_type": "polynomial"}}"#, "must be one of \"linear\", \"cosine\", \"constant\""),
    (#"{"prompt_tuning": {"prompt_tuning_init": "RANDOM"}}"#, "must be one of \"random\", \"text\", found"),
    (#"{"prompt_tuning": {"num_virtual_tokens": 2147483647}}"#, "must be a whole number from 1 to 100000"),
    (#"{"data": {"test_fraction": 1}}"#, "must be a number above 0 and below 1 or null, found 1"),
    (#"{"training": {"learning_rate": 0}}"#, "must be a positive number of at most 1e30, found 0"),
    (#"{"training": {"max_grad_norm": -1}}"#, "must be a positive number of at most 1e30, or null or 0, found -1"),
    (#"{"training": {"weight_decay": -1}}"#, "must be a number from 0 to 1e30, found -1"),
    (#"{"training": {"batch_size": 0}}"#, "must be a whole number from 1 to 2147483647, found 0"),
    (#"{"training": {"seed": -1}}"#, "must be a whole number from 0 to 2147483647, found -1"),
    (#"{"training": {"max_steps": 2147483648}}"#, "must be a whole number from 1 to 2147483647, or null or -1"),
    (#"{"training": {"max_steps": 1.5}}"#, "must be a whole number"),
    (#"{"training": {"shuffle": 1}}"#, "must be true or false, found 1"),
    (#"{"training": {"memory_limit": 0}}"#, "must be a number of bytes"),
    (#"{"cpt_token_ids": [1, -1]}"#, "must be a list of whole numbers of at least 0"),
    (#"{"cpt_token_ids": []}"#, "must hold at least one token"),
    (#"{"cpt_token_ids": [1], "cpt_mask": [2]}"#, "\"cpt_mask\" must hold only 0 and 1"),
    (#"{"cpt_mask": [1]}"#, "\"cpt_mask\" needs \"cpt_token_ids\""),
    (#"{"cpt_token_ids": [1], "initial_adapter": "a"}"#, "\"initial_adapter\" contradicts \"cpt_token_ids\""),
    (#"{"data": {"label_words": {"a": "x", " a": "y"}}}"#, "all different"),
    (#"{"data": {"label_words": {"a": "x", "b": "x"}}}"#, "gives every label the word \"x\""),
    (#"{"data": {"truncate_text": "left"}}"#, "must be false, \"end\" (or true), \"start\" or \"middle\", found"),
    (#"{"data": {"class_weights": {"a": 0}}}"#, "positive numbers of at most 1e6 or null"),
    (#"{"data": {"class_weights": {"a": 1, "a ": 2}}}"#, "all different"),
    (#"{"data": {"class_weights": "even"}}"#, "must be \"balanced\", or an object"),
    (#"{"data": {"class_weights": "balanced"}, "training": {"method": "head"}}"#, "is for methods that take steps"),
    (#"{"data": {"header": null}}"#, "must be true or false"),
    (#"{"data": {"label_words": {"a": ""}}}"#, "all different"),
    (#"{"template": {"input": "{} {}"}}"#, "with {} or {column}"),
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

  /// Values that files of Hugging Face's libraries have, and what they mean.
  @Test(arguments: [
    (#""training": {"max_steps": -1}"#, #""training": {"max_steps": null}"#),
    (#""training": {"max_grad_norm": 0}"#, #""training": {"max_grad_norm": null}"#),
    (#""training": {"max_grad_norm": 0.0}"#, #""training": {"max_grad_norm": null}"#),
    (#""training": {"save_total_limit": 0}"#, #""training": {"save_total_limit": null}"#),
    (#""training": {"save_steps": 20.0}"#, #""training": {"save_steps": 20}"#),
    (#""training": {"warmup_steps": 0.0}"#, #""training": {"warmup_steps": 0}"#),
    (#""training": {"optim": "adamw_torch"}"#, #""training": {"optim": "adamw"}"#),
    (#""training": {"optim": "adamw_torch_fused"}"#, #""training": {"optim": "adamw"}"#),
    (#""training": {"report_to": []}"#, #""training": {"report_to": "none"}"#),
    (#""training": {"report_to": ["tensorboard"]}"#, #""training": {"report_to": "tensorboard"}"#),
    (#""training": {"metric_for_best_model": "eval_loss"}"#, #""training": {"metric_for_best_model": "loss"}"#),
    (#""training": {"metric_for_best_model": "eval_accuracy"}"#, #""training": {"metric_for_best_model": "accuracy"}"#),
    (#""training": {"metric_for_best_model": "eval_macro_f1"}"#, #""training": {"metric_for_best_model": "macro_f1"}"#),
    (
      #""prompt_tuning": {"prompt_tuning_init": "SAMPLE_VOCAB"}"#, #""prompt_tuning": {"prompt_tuning_init": "random"}"#
    ),
    (
      #""prompt_tuning": {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "a"}"#,
      #""prompt_tuning": {"prompt_tuning_init": "text", "prompt_tuning_init_text": "a"}"#
    ),
  ])
  func valuesOfHuggingFace(text: String, meaning: String) throws {
    // A value other than the default comes first: both replace it.
    let other = #"{"training": {"max_steps": 7, "max_grad_norm": 7, "save_total_limit": 7, "save_steps": 7}}"#
    #expect(try read(other) != read("{}"))
    let found = try read("{\(text)}"), expected = try read("{\(meaning)}")
    #expect(found.resolvedJSON == expected.resolvedJSON && found.data == expected.data)
  }

  /// The shares of all steps that transformers takes, and their numbers of steps, rounded up.
  @Test(arguments: [("0.1", 10, 1), ("0.1", 11, 2), ("0.5", 3, 2), ("0.999", 4, 4), ("2", 10, 2)])
  func sharesOfSteps(value: String, total: Int, count: Int) throws {
    for key in ["warmup_steps", "eval_steps", "save_steps"] {
      let text = "{\"training\": {\"\(key)\": \(value)}}"
      let training = try read(text).training
      let counts: [String: StepCount?] = [
        "warmup_steps": training.warmupSteps, "eval_steps": training.evaluationSteps, "save_steps": training.saveSteps,
      ]
      #expect(counts[key]??.count(of: total) == count)
      #expect(try read(read(text).resolvedJSON.compact).training == training)
    }
  }

  /// Only the configuration of an adapter may have keys that are unknown here: PEFT's, of a later version.
  @Test func unknownKeysOfAnAdapter() throws {
    let text = #"{"peft_type": "CPT", "of_later": null, "cpt_token_ids": [1], "cpt_x": {"a": NaN}, "num_layers": 2}"#
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/adapter_config.json")
      let configuration = try Configuration(file: folder + "/adapter_config.json")
      #expect(configuration.ignoredKeys == ["of_later", "cpt_x"] && configuration.tokenIDs == [1])
      try writeAtomically(text.replacing("[1]", with: "[-1]"), to: folder + "/adapter_config.json")
      #expect(throws: InputError.self) { try Configuration(file: folder + "/adapter_config.json") }
      try writeAtomically(text.replacing("NaN", with: "1"), to: folder + "/config.json")
      #expect {
        try Configuration(file: folder + "/config.json")
      } throws: {
        "\($0)".contains("\"of_later\" is an unknown key")
      }
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
