import FileFormats
import System
import Testing
import TestSupport

/// `cpt export-prompt` for serving; scripts/make-prefix-goldens makes the adapters.
@Suite struct ExportTests {
  private static let cases = ["gpt2", "llama", "falcon-7b", "falcon-40b", "bloom", "gemma3_text"]
  private static let goldens = fixtures + "/prefix/"

  private func model(of name: String) -> String {
    fixtures + (name == "gpt2" ? "/parity/model" : "/families/" + name)
  }

  private func export(
    _ name: String, over model: String? = nil, _ flags: [String], to output: String
  ) throws -> Program.Outcome {
    try Program.run(
      [
        "export-prompt", "--checkpoint", Self.goldens + name + "/cpt", "--model", model ?? self.model(of: name),
        "--output", output,
      ] + flags)
  }

  /// The adapter that PEFT makes of the keys and values transformers computes.
  @Test(arguments: cases)
  func prefixTuningAdaptersAreThoseOfPEFT(name: String) throws { try checkPrefix(name, over: model(of: name)) }

  /// The same models as GGUF files, which hold the rows of some projections in another order.
  @Test(arguments: ["llama", "bloom"])
  func prefixTuningAdaptersOverGGUF(name: String) throws {
    try checkPrefix(name, over: "\(fixtures)/gguf/\(name).gguf")
  }

  private func checkPrefix(_ name: String, over model: String) throws {
    try withTemporaryFolder { folder in
      let outcome = try export(name, over: model, ["--format", "prefix-tuning"], to: folder + "/prefix")
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

  /// Metadata as the Hub reads it, from each place a run leaves an adapter.
  @Test(arguments: [("run/best", "peft", "prompt-tuning"), ("run", "prefix-tuning", "prefix-tuning")])
  func cardsSayWhatTheRunMeasured(checkpoint: String, format: String, tag: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      let words: [JSON.Member] = [.init("delivery", .string("a \"van\"")), .init("billing", .string("b"))]
      example.set("data", "label_words", .object(words))
      // The best step and the last one.
      example.set("training", "eval_steps", .integer(6))
      example.set("training", "metric_for_best_model", .string("loss"))
      try example.write()
      #expect(try example.trainRun().status == 0)
      let output = "say \"#1\": it"
      let flags = ["--format", format, "--output", output, "--base-model", "org/Name-1.0"]
      let outcome = try Program.run(["export-prompt", "--checkpoint", checkpoint] + flags, in: folder)
      #expect(outcome.status == 0 && !outcome.output.contains("--base-model"), "\(outcome.errors)")
      let lines = try readBytes(of: folder + "/run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
      let metrics = try JSON(parsing: Array(#require(lines.last)), file: "metrics")
      func value(_ key: String) throws -> String { try #require(metrics[key]).compact }
      let metadata = """
        ---
        library_name: peft
        base_model: "org/Name-1.0"
        pipeline_tag: text-classification
        tags:
        - cpt
        - context-aware-prompt-tuning
        - \(tag)
        metrics:
        - accuracy
        - f1
        model-index:
        - name: "say \\"#1\\": it"
          results:
          - task:
              type: text-classification
            dataset:
              name: "train.tsv"
              type: "train.tsv"
              split: validation
            metrics:
            - type: accuracy
              name: "accuracy"
              value: \(try value("eval_accuracy"))
            - type: f1
              name: "macro-F1"
              value: \(try value("eval_macro_f1"))
            - type: loss
              name: "mean -log P(label), nats"
              value: \(try value("eval_loss"))
        ---

        # say "#1": it

        """
      let card = String(decoding: try readBytes(of: folder + "/\(output)/README.md"), as: UTF8.self)
      #expect(card.hasPrefix(metadata))
      #expect(card.contains("labels = {\"delivery\": \"a \\\"van\\\"\", \"billing\": \"b\"}"))
      #expect(card.contains("| tuned for | 6 steps over 12 rows |") && card.contains("On 16 rows of validation data"))
      let configuration = try JSON.read(file: folder + "/\(output)/adapter_config.json")
      #expect(configuration["base_model_name_or_path"]?.string == "org/Name-1.0")
    }
  }

  /// The code of a classifier's card; scripts/check-peft-interop runs the quickstart's, with tokenization "pieces".
  @Test(arguments: ["pieces", "whole"])
  func cardsHoldTheCodeThatClassifies(tokenization: String) throws {
    try withTemporaryFolder { folder in
      let settings = [
        "training.max_steps=1", "training.batch_size=1", "data.max_train_examples=1", "data.max_validation_examples=1",
        "template.tokenization=\(tokenization)",
      ].flatMap { ["--set", $0] }
      let configuration = repository + "/configs/quickstart/quickstart.json"
      let trained = try Program.run(
        ["train", "--config", configuration, "--output", "run"] + settings, in: folder)
      #expect(trained.status == 0, "\(trained.errors)")
      let exported = try Program.run(["export-prompt", "--checkpoint", "run", "--output", "adapter"], in: folder)
      #expect(exported.status == 0, "\(exported.errors)")
      let card = String(decoding: try readBytes(of: folder + "/adapter/README.md"), as: UTF8.self)
      let code = card.split(separator: "```python\n").last?.split(separator: "```").first.map(String.init)
      let expected = String(decoding: try readBytes(of: fixtures + "/cards/\(tokenization).py"), as: UTF8.self)
      #expect(code == expected)
    }
  }

  /// Of an adapter that comes from elsewhere, only what it says itself.
  @Test func cardsOfOtherAdaptersSayLess() throws {
    try withTemporaryFolder { folder in
      #expect(try export("gpt2", ["--format", "peft"], to: folder + "/peft").output.contains("--base-model NAME"))
      let card = String(decoding: try readBytes(of: folder + "/peft/README.md"), as: UTF8.self)
      #expect(card.hasPrefix("---\nlibrary_name: peft\npipeline_tag: text-generation\ntags:\n- cpt\n"))
      #expect(card.contains("and a context of 41 tokens") && card.contains("4 labelled examples"))
      #expect(!card.contains("model-index") && !card.contains("## Training") && card.contains("model.generate"))
    }
  }

  @Test(arguments: ["a/b/c", "/work", "a b", "..", "org/"])
  func namesOfTheHubAreChecked(name: String) throws {
    let outcome = try export("gpt2", ["--base-model", name], to: "nowhere")
    #expect(outcome.status == 64 && outcome.errorLine.contains("must be a model's name on the Hub"))
  }

  /// A prefix-tuning adapter is nothing to go on from, and says so.
  @Test func prefixTuningAdaptersAreNotRead() throws {
    let outcome = try Program.run(["eval", "--checkpoint", Self.goldens + "gpt2/prefix"])
    #expect(outcome.status == 65 && outcome.errorLine.contains("\"peft_type\" is \"PREFIX_TUNING\""))
  }
}
