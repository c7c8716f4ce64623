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
