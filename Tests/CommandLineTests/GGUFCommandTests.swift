import FileFormats
import System
import Testing
import TestSupport

/// A model that is a GGUF file, through all commands.
@Suite struct GGUFCommandTests {
  /// A model in many types of blocks, with a tokenizer of bytes.
  private static let model = fixtures + "/gguf/blocks.gguf"

  /// Writes the model with room for more than its 64 tokens.
  private func writeModel(to path: String) throws {
    var bytes = try readBytes(of: Self.model)
    let key = Array("llama.context_length".utf8)
    let start = try #require(bytes.firstRange(of: key)).upperBound + 4
    bytes.replaceSubrange(start..<(start + 4), with: withUnsafeBytes(of: UInt32(2048).littleEndian) { Array($0) })
    try writeAtomically(bytes, to: path)
  }

  private func write(in folder: String, model: String) throws {
    try makeDirectory(folder + "/models")
    try writeModel(to: folder + "/models/m.gguf")
    var example = WorkingExample(in: folder)
    example.configuration["base_model_name_or_path"] = .string(model)
    try example.write()
  }

  /// The file as it is, by a path from the configuration's folder, and in a folder.
  @Test func trainsEvaluatesAndPredicts() throws {
    try withTemporaryFolder { folder in
      var adapters: [[UInt8]] = []
      for (path, output) in [("models/m.gguf", "a"), ("models", "b"), (folder + "/models/m.gguf", "c")] {
        try write(in: folder, model: path)
        let run = try Program.run(["train", "--config", "config.json", "--output", output], in: folder)
        #expect(run.status == 0, "\(run.errors)")
        adapters.append(try readBytes(of: "\(folder)/\(output)/adapter_model.safetensors"))
      }
      #expect(adapters[0] == adapters[1] && adapters[0] == adapters[2])

      let evaluation = try Program.run(["eval", "--checkpoint", "a/best", "--json"], in: folder)
      #expect(try evaluation.json()["rows"]?.integer == 16, "\(evaluation.errors)")
      let prediction = try Program.run(["predict", "--checkpoint", "a/best", "--data", "train.tsv"], in: folder)
      #expect(prediction.status == 0 && prediction.output.split(separator: "\n").count == 17, "\(prediction.errors)")
      let prompt = try Program.run(["inspect", "--checkpoint", "a/best"], in: folder)
      #expect(prompt.status == 0, "\(prompt.errors)")
      let report = try Program.run(["report", "a", "--output", "a.html"], in: folder)
      #expect(report.status == 0, "\(report.errors)")
      // The run goes on where it stopped.
      let resumed = try Program.run(
        ["train", "--config", "config.json", "--output", "a", "--resume"], in: folder)
      #expect(resumed.status == 0, "\(resumed.errors)")
      let exported = try Program.run(
        ["export-prompt", "--checkpoint", "a/best", "--format", "peft", "--output", "e"], in: folder)
      #expect(exported.output.contains("PEFT does not read the GGUF file m.gguf"), "\(exported.output)")
      let named = try Program.run(
        ["export-prompt", "--checkpoint", "a/best", "--format", "peft", "--output", "n", "--base-model", "x/y"],
        in: folder)
      #expect(named.status == 0 && !named.output.contains("GGUF"), "\(named.errors)")
      #expect(try JSON.read(file: folder + "/n/adapter_config.json")["base_model_name_or_path"] == .string("x/y"))
    }
  }

  @Test func weightsOf8Bits() throws {
    try withTemporaryFolder { folder in
      try write(in: folder, model: "models/m.gguf")
      let run = try Program.run(
        ["train", "--config", "config.json", "--set", "model.weights=q8", "--json"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
    }
  }

  @Test func inspectShowsBlocks() throws {
    let text = try Program.run(["inspect", "--model", Self.model]).output
    for part in ["name               Tiny blocks", "llama", "Q5_1 ", "BPE, "] {
      #expect(text.contains(part), "\(text)")
    }
    let json = try Program.run(["inspect", "--model", Self.model, "--json"]).json()
    let parts = try #require(json["bytes_by_dtype"]?.object).compactMap(\.value.integer)
    #expect(parts.count >= 8 && parts.reduce(0, +) == json["bytes_on_disk"]?.integer)
  }

  @Test func initTakesAFile() throws {
    try withTemporaryFolder { folder in
      try write(in: folder, model: "models/m.gguf")
      let outcome = try Program.run(
        ["init", "--data", "train.tsv", "--model", "models/m.gguf", "--output", "new.json"], in: folder)
      #expect(
        outcome.status == 0 && outcome.output.contains("m.gguf is 256 wide"), "\(outcome.output)\(outcome.errors)")
      let run = try Program.run(["train", "--config", "new.json", "--set", "training.max_steps=2"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
    }
  }

  @Test func severalModelsInAFolder() throws {
    try withTemporaryFolder { folder in
      for name in ["a", "b"] { try writeAtomically(readBytes(of: Self.model), to: "\(folder)/\(name).gguf") }
      let outcome = try Program.run(["inspect", "--model", folder])
      #expect(outcome.status == 66 && outcome.errorLine.contains("has 2 GGUF files: a.gguf, b.gguf; name one of them"))
    }
  }
}
