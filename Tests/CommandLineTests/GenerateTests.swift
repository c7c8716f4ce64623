import Glibc
import System
import Testing
import TestSupport

/// `cpt generate` over a checkpoint it trained.
@Suite struct GenerateTests {
  private static let prompt = "my parcel number 3 is late"

  private func generate(_ flags: [String], in folder: String, input: String = "") throws -> Program.Outcome {
    try Program.run(
      ["generate", "--checkpoint", "run/best", "--max-tokens", "30"] + flags, in: folder, input: Array(input.utf8))
  }

  @Test func outputIsTheTextAndNothingElse() throws {
    try withCheckpoint { folder in
      let plain = try generate(["--prompt", Self.prompt], in: folder)
      #expect(plain.status == 0 && plain.errors.isEmpty, "\(plain.errors)")
      let facts = try generate(["--prompt", Self.prompt, "--json"], in: folder).json()
      let text = try #require(facts["text"]?.string)
      #expect(!text.isEmpty && plain.output == text + "\n")
      #expect(facts["prompt"]?.string == Self.prompt)
      #expect(facts["tokens"]?.array?.count == 30 && facts["stop_reason"]?.string == "max_tokens")
      let logProbabilities = try #require(facts["log_probabilities"]?.array).compactMap(\.number)
      #expect(logProbabilities.count == 30 && logProbabilities.allSatisfy { $0 <= 0 })
      let seconds = try #require(facts["elapsed_seconds"]?.number)
      #expect(try #require(facts["prompt_seconds"]?.number) <= seconds)
      // The text may come on standard input, with a line break at its end or without.
      for (flags, input) in [([], Self.prompt), (["--prompt", "-"], Self.prompt + "\n"), ([], Self.prompt + "\r\n")] {
        #expect(try generate(flags, in: folder, input: input).output == plain.output)
      }
      // Template and context matter.
      let raw = try generate(["--prompt", Self.prompt, "--raw"], in: folder)
      let alone = try generate(["--prompt", Self.prompt, "--no-context"], in: folder)
      #expect(Set([plain.output, raw.output, alone.output]).count == 3)
      let stopped = try generate(
        ["--prompt", Self.prompt, "--stop", "never", "--stop", String(text.suffix(4)), "--json"], in: folder
      ).json()
      #expect(stopped["stop_reason"]?.string == "stop")
      #expect(text.hasPrefix(try #require(stopped["text"]?.string)))
    }
  }

  @Test func drawsFollowTheSeed() throws {
    try withCheckpoint { folder in
      func text(_ flags: [String]) throws -> String {
        try generate(["--prompt", Self.prompt, "--raw", "--no-context"] + flags, in: folder).output
      }
      let first = try text(["--temperature", "1", "--seed", "3"])
      #expect(try text(["--temperature", "1", "--seed", "3"]) == first)
      #expect(try text(["--temperature", "1", "--seed", "4"]) != first)
      #expect(try text(["--temperature", "5", "--top-k", "1"]) == text([]))
      #expect(try text(["--temperature", "5", "--top-p", "1e-9"]) == text([]))
    }
  }

  /// What PEFT wrote has no template: --raw needs none, otherwise --config brings it.
  @Test func adaptersOfPEFTGenerate() throws {
    try withCheckpoint { folder in
      #expect(
        try Program.run(["export-prompt", "--checkpoint", "run/best", "--output", "peft"], in: folder).status == 0)
      func generate(_ flags: [String]) throws -> Program.Outcome {
        try Program.run(["generate", "--checkpoint", "peft", "--prompt", Self.prompt] + flags, in: folder)
      }
      let refused = try generate([])
      #expect(refused.status == 64 && refused.errorLine.contains("--config: is missing"), "\(refused.errors)")
      let own = try Program.run(["generate", "--checkpoint", "run/best", "--prompt", Self.prompt], in: folder)
      #expect(try generate(["--config", "config.json"]).output == own.output)
      let raw = try Program.run(["generate", "--checkpoint", "run/best", "--prompt", Self.prompt, "--raw"], in: folder)
      #expect(try generate(["--raw"]).output == raw.output)
    }
  }

  @Test func mistakesAreOneLine() throws {
    try withCheckpoint { folder in
      let long = Array(repeating: "parcel", count: 600).joined(separator: " ")
      for (flags, input, status, message) in [
        (["--prompt", long], "", 64, "--prompt: context ("), ([], long, 65, "standard input: context ("),
        (["--prompt", long, "--no-context", "--raw"], "", 64, "the model has 512 positions; shorten it"),
        ([], "", 65, "standard input: the text is empty"), ([], " \n", 65, "standard input: the text is empty"),
        (["--raw", "--no-context"], "\n", 65, "standard input: the text is empty"),
        (["--prompt", "a", "--model", "nowhere"], "", 66, "nowhere: no such file or folder"),
        (["--prompt", "a", "--config", "nowhere.json"], "", 66, "nowhere.json: "),
      ] as [([String], String, Int32, String)] {
        let outcome = try generate(flags, in: folder, input: input)
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.errors.hasPrefix("cpt: error: ") && outcome.errors.contains(message), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1 && outcome.output.isEmpty)
      }
      let broken = try Program.run(["generate", "--checkpoint", "run/best"], in: folder, input: [0x61, 0xFF])
      #expect(broken.status == 65 && broken.errorLine.contains("is not UTF-8"))
    }
  }

  /// It ends at once, and the line it was writing is ended.
  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheText(signal: Int32) throws {
    try withCheckpoint { folder in
      let output = folder + "/text"
      let arguments = [
        "generate", "--checkpoint", "run/best", "--no-context", "--raw", "--prompt", "hi", "--max-tokens", "100000",
      ]
      let whole = try Program.run(arguments, in: folder)
      let status = try Program.interrupt(arguments, in: folder, with: signal, output: output) {
        (try? readBytes(of: output).isEmpty) == false
      }
      #expect(status == 128 + signal)
      let text = try readBytes(of: output)
      #expect(text.last == UInt8(ascii: "\n") && text.count > 1 && text.count < whole.output.utf8.count)
      #expect(Array(whole.output.utf8).starts(with: text.dropLast()))
    }
  }
}
