import FileFormats
import TestSupport
import Testing

/// `cpt export-prompt` for serving; scripts/make-prefix-goldens makes the adapters.
@Suite struct ExportTests {
  private static let cases = ["gpt2", "llama", "falcon-7b", "falcon-40b", "bloom", "gemma3_text"]
  private static let goldens = fixtures + "/prefix/"

  private func model(of name: String) -> String {
    fixtures + (name == "gpt2" ? "/parity/model" : "/families/" + name)
  }

  private func export(_ name: String, _ flags: [String], to output: String) throws -> Program.Outcome {
    try Program.run(
      ["export-prompt", "--checkpoint", Self.goldens + name + "/cpt", "--model", model(of: name), "--output", output]
        + flags)
  }

  /// The adapter that PEFT makes of the keys and values transformers computes.
  @Test(arguments: cases)
  func prefixTuningAdaptersAreThoseOfPEFT(name: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try export(name, ["--format", "prefix-tuning"], to: folder + "/prefix")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let pair = ["adapter_config.json", "adapter_model.safetensors"]
      #expect(names(inDirectory: folder + "/prefix") == ["README.md"] + pair)
      let golden = Self.goldens + name + "/prefix/"
      let expected = try #require(SafetensorsFile(path: golden + pair[1])["prompt_embeddings"])
      let found = try SafetensorsFile(path: folder + "/prefix/" + pair[1])
        .floats("prompt_embeddings", shape: expected.shape)
      #expect(relativeDifference(found, try expected.floats()) < 1e-5)
      // PEFT 0.21 has one more key, at its default, which older versions do not know.
      let keys = try #require(JSON.read(file: golden + pair[0]).object).filter { $0.key != "init_weights" }
      let configuration = try JSON.read(file: folder + "/prefix/" + pair[0])
      for key in keys where key.key != "base_model_name_or_path" {
        #expect(configuration[key.key] == key.value, "\(key.key)")
      }
      #expect(configuration.object?.count == keys.count)
    }
  }

  /// What is in the prefix-tuning adapter, head by head.
  @Test(arguments: ["gpt2", "llama"])
  func keysAndValuesAreListedLayerByLayer(name: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try export(name, ["--format", "kv"], to: folder + "/kv.safetensors")
      #expect(outcome.status == 0 && outcome.output.hasPrefix("wrote keys and values of "), "\(outcome.errors)")
      let file = try SafetensorsFile(path: folder + "/kv.safetensors")
      let golden = Self.goldens + name + "/prefix/"
      let rows = try #require(SafetensorsFile(path: golden + "adapter_model.safetensors")["prompt_embeddings"])
      let configuration = try JSON.read(file: golden + "adapter_config.json")
      let layers = try #require(configuration["num_layers"]?.integer), tokens = rows.shape[0]
      let heads = try #require(configuration["num_attention_heads"]?.integer)
      let width = try #require(configuration["token_dim"]?.integer)
      #expect(file.metadata["model_type"] == name && file.metadata["tokens"] == String(tokens))
      #expect(file.tensors.count == 2 * layers && file.metadata["layers"] == String(layers))
      let expected = try rows.floats()
      for layer in 0..<layers {
        for (part, kind) in ["key", "value"].enumerated() {
          let found = try file.floats("layers.\(layer).\(kind)", shape: [heads, tokens, width / heads])
          let wanted = (0..<heads).flatMap { head in
            (0..<tokens).flatMap { token in
              let start = (token * layers * 2 + 2 * layer + part) * width + head * (width / heads)
              return expected[start..<(start + width / heads)]
            }
          }
          #expect(relativeDifference(found, wanted) < 1e-5)
        }
      }
    }
  }
}
