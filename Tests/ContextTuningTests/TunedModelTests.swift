import CContextTuning
import CInterface
import ContextTuning
import Glibc
import System
import TestSupport
import Testing

/// The library as another program uses it: it trains the quickstart's model on a few rows, and opens the result.
@Suite struct TunedModelTests {
  private static let texts = (0..<24).map { $0 % 2 == 0 ? "my parcel number \($0) is late" : "refund me \($0) please" }

  private func withModel(_ body: (TunedModel, _ folder: String) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
      let rows = Self.texts.enumerated().map { "\($1)\t\($0 % 2 == 0 ? "delivery" : "billing")" }
      try writeAtomically((["text\tlabel"] + rows).joined(separator: "\n") + "\n", to: folder + "/train.tsv")
      let model = repository + "/configs/quickstart/model"
      try writeAtomically(
        """
        {"base_model_name_or_path": "\(model)", "template": {"end_of_text": false}, "output_dir": "run",
         "data": {"train": "train.tsv", "validation": "train.tsv", "context_examples": 4},
         "training": {"max_steps": 4, "batch_size": 3, "eval_steps": 2}}
        """, to: folder + "/config.json")
      var steps: [Int] = [], evaluations: [Int] = []
      let summary = try Training(
        configuration: folder + "/config.json", settings: ["training.learning_rate": "0.01"], threads: 2
      ).run { event in
        switch event {
        case .step(let step, of: 4, let loss) where loss > 0: steps.append(step)
        case .evaluated(let step, _, _, _): evaluations.append(step)
        default: break
        }
      }
      #expect(steps == [1, 2, 3, 4] && evaluations == [0, 2, 4])
      #expect(summary.checkpoint == folder + "/run/best" && summary.steps == 4 && !summary.wasInterrupted)
      #expect(throws: ContextTuningError.self) { try Training(configuration: folder + "/config.json").run() }
      var options = TunedModel.Options()
      options.threads = 2
      try await body(TunedModel(checkpoint: summary.checkpoint, options: options), folder)
    }
  }

  @Test func answersDoNotDependOnWhoElseAsks() async throws {
    try await withModel { model, _ in
      #expect(model.labels == ["billing", "delivery"] && model.contextTokens > 0)
      var alone: [Classification] = []
      for text in Self.texts { alone.append(try await model.classify(text)) }
      #expect(Set(alone.map(\.probability)).count > 20)
      for answer in alone {
        #expect(abs(answer.probabilities.reduce(0) { $0 + $1.probability } - 1) < 1e-9)
        #expect(answer.probability == answer.probabilities.map(\.probability).max())
      }
      let expected = alone
      try await withThrowingTaskGroup(of: Void.self) { group in
        for start in 0..<60 {
          group.addTask {
            let texts = (0..<(start % 5 + 1)).map { Self.texts[($0 * 7 + start) % 24] }
            let answers = try await model.classify(texts)
            for (offset, answer) in answers.enumerated() {
              let own = expected[(offset * 7 + start) % 24]
              #expect(answer.label == own.label && abs(answer.probability - own.probability) < 1e-5)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(model.waiting == 0)
    }
  }

  @Test func whatCannotBeAnsweredIsSaid() async throws {
    try await withModel { model, folder in
      let long = String(repeating: "word ", count: 5000)
      let error = await #expect(throws: ContextTuningError.self) { try await model.classify(["fine", long]) }
      #expect(error?.kind == .input && error?.description.hasPrefix("text 2: ") == true)
      let late = await #expect(throws: ContextTuningError.self) {
        try await model.classify(["refund me"], deadline: .now - .seconds(1))
      }
      #expect(late?.kind == .late)
      #expect(try await model.classify([]).isEmpty)
      var options = TunedModel.Options()
      options.waitingTexts = 2
      let small = try TunedModel(checkpoint: folder + "/run", options: options)
      let busy = await #expect(throws: ContextTuningError.self) { try await small.classify(["a", "b", "c"]) }
      #expect(busy?.kind == .busy)
      #expect(try await small.classify(["a", "b"]).count == 2)
      let missing = #expect(throws: ContextTuningError.self) { try TunedModel(checkpoint: folder + "/no") }
      #expect(missing?.kind == .missingFile)
      options.threads = 0
      #expect(throws: ContextTuningError.self) { try TunedModel(checkpoint: folder + "/run", options: options) }
    }
  }

  @Test func completionsAreThoseOfAFreshContext() async throws {
    try await withModel { model, folder in
      var options = CompletionOptions()
      options.maxTokens = 3
      // The context is computed once, and each text continues a copy of it.
      let first = try await model.complete("my parcel is late", options: options)
      _ = try await model.complete("refund me please", options: options)
      let again = try await model.complete("my parcel is late", options: options)
      #expect(first == again && first.tokens <= 3 && first.promptTokens > 0)
      let other = try TunedModel(checkpoint: folder + "/run/best")
      #expect(try await other.complete("my parcel is late", options: options) == first)
      options.maxTokens = 0
      await #expect(throws: ContextTuningError.self) { try await model.complete("x", options: options) }
    }
  }

  @Test func theCInterfaceSaysTheSame() async throws {
    try await withModel { model, folder in
      var error: UnsafeMutablePointer<CChar>?
      #expect(cpt_open(folder + "/no", nil, 0, &error) == nil)
      #expect(try String(cString: #require(error)).contains("no/adapter_config.json: not found"))
      cpt_free(error)
      let handle = try #require(cpt_open(folder + "/run/best", nil, 2, nil))
      defer { cpt_close(handle) }
      #expect(cpt_label_count(handle) == 2 && cpt_label(handle, 2) == nil)
      #expect(try String(cString: #require(cpt_label(handle, 1))) == "delivery")
      let text = try #require(strdup(Self.texts[0])), other = try #require(strdup(Self.texts[1]))
      defer {
        free(text)
        free(other)
      }
      var probabilities = [Double](repeating: -1, count: 4)
      let texts: [UnsafePointer<CChar>?] = [UnsafePointer(text), UnsafePointer(other)]
      #expect(cpt_classify(handle, texts, 2, &probabilities, nil) == 0)
      let expected: [Classification] = try await model.classify([Self.texts[0], Self.texts[1]])
      for (found, answer) in zip(probabilities, expected.flatMap(\.probabilities)) {
        #expect(abs(found - answer.probability) < 1e-5)
      }
      #expect(cpt_classify(handle, [nil], 1, &probabilities, &error) == -1)
      #expect(try String(cString: #require(error)) == "text 1 is NULL")
      cpt_free(error)
      let completion = try #require(cpt_complete(handle, text, 3, nil))
      var options = CompletionOptions()
      options.maxTokens = 3
      #expect(try await String(cString: completion) == model.complete(Self.texts[0], options: options).text)
      cpt_free(completion)
      #expect(cpt_complete(handle, text, 0, nil) == nil)
    }
  }
}
