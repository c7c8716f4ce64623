import FileFormats
import Runs
import System
import Testing
import TestSupport

/// Where a configuration comes from, and what its numbers may be.
@Suite struct ConfigurationFileTests {
  /// `-` and devices: paths are relative to the current folder.
  @Test(arguments: ["-", "/dev/stdin"])
  func standardInput(path: String) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let text = try readBytes(of: folder + "/config.json")
      try removeRecursively(folder + "/config.json")
      func run(_ words: String...) throws -> Program.Outcome {
        let words = words + ["--config", path, "--threads", "1"]
        let outcome = try Program.run(words, in: folder, input: text)
        #expect(outcome.status == 0, "\(words): \(outcome.errors)")
        return outcome
      }
      _ = try run("inspect")
      let forecast = try run("train", "--dry-run", "--json", "--set", "data.test=null").json()
      #expect(forecast["configuration"]?["output_dir"]?.string == absolutePath(folder) + "/run")
      _ = try run("train")
      let adapter = folder + "/run/checkpoint-6"
      _ = try run("eval", "--checkpoint", adapter)
      _ = try run("predict", "--checkpoint", adapter, "--data", "train.tsv")
      _ = try run("generate", "--checkpoint", adapter, "--prompt", "x", "--max-tokens", "2")
      _ = try run("compare", "--methods", "icl,cpt", "--seeds", "1", "--output", "compared")
      #expect(
        try JSON.read(file: folder + "/run/config.json")["data"]?["train"]?.string?.hasSuffix("/train.tsv") == true)
    }
  }

  @Test func standardInputIsOneThing() throws {
    try withCheckpoint { folder in
      for (words, message) in [
        (["predict", "--data", "-"], "--config: and --data both are standard input"),
        (["generate"], "--config: and --prompt both are standard input"),
        (["generate", "--prompt", "-"], "--config: and --prompt both are standard input"),
      ] {
        let outcome = try Program.run(words + ["--checkpoint", "run", "--config", "-"], in: folder)
        #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome.errors)")
      }
      let empty = try Program.run(["train", "--config", "-"], in: folder)
      #expect(empty.status == 65 && empty.errors.contains("-:1:1: malformed JSON"), "\(empty.errors)")
    }
  }

  /// Like PEFT: an adapter of a later version loads, and a note names the keys that are unknown here.
  @Test func anAdapterOfALaterPEFT() throws {
    try withCheckpoint { folder in
      let adapter = folder + "/run/checkpoint-6", file = adapter + "/adapter_config.json"
      func runs() throws -> [Program.Outcome] {
        try [
          ["eval", "--json", "--checkpoint", adapter],
          ["train", "--config", "config.json", "--set", "initial_adapter=\(adapter)", "--output", "b", "--dry-run"],
          ["predict", "--checkpoint", adapter, "--data", "train.tsv", "--output", "-"],
          ["inspect", "--json", "--checkpoint", adapter],
          ["export-prompt", "--checkpoint", adapter, "--output", "-", "--format", "safetensors"],
        ].map { try Program.run($0, in: folder) }
      }
      let usual = try runs()
      let members = try #require(JSON.read(file: file).object)
      let later: [JSON.Member] = [.init("of_later", .null), .init("other_config", .object([.init("x", .number(0.5))]))]
      try writeAtomically(JSON.object(later + members).compact, to: file)
      for (index, (found, expected)) in zip(try runs(), usual).enumerated() {
        // The first two print times too.
        #expect(found.status == 0 && (index < 2 || found.output == expected.output), "\(found.errors)")
        let note = "adapter_config.json: ignores \"of_later\", \"other_config\", unknown to this version"
        #expect(
          found.errors.split(separator: "\n").filter { $0.hasPrefix("note: ") && $0.contains(note) }.count == 1)
      }
      #expect(usual.allSatisfy { !$0.errors.contains("ignores") })
      let wrong = members.map { $0.key == "peft_type" ? .init("peft_type", .string("LORA")) : $0 }
      try writeAtomically(JSON.object(later + wrong).compact, to: file)
      #expect(try runs().allSatisfy { $0.status == 65 && $0.errorLine.contains("\"peft_type\"") })
    }
  }

  /// Every key of the configuration with every kind of wrong number: a forecast or an error, never a trap.
  @Test(arguments: Configuration.reference.map(\.path))
  func wrongNumbersAreErrors(key: String) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      for value in [
        "0", "-1", "1e30", "2147483647", "4611686018427387904", "1.5", "1e-300", "NaN", "[-1]", "99999999TB",
      ] {
        for method in key.hasPrefix("prompt_tuning") ? ["prompt_tuning"] : key.hasPrefix("head") ? ["head"] : ["cpt"] {
          // With a limit of the address space, memory by the gigabyte is a trap too.
          let words = ["train", "--config", "config.json", "--dry-run", "--threads", "1"]
          let outcome = try Program.run(
            ["-c", "ulimit -v 3000000; exec \"$@\"", "sh", Program.path] + words
              + ["--set", "training.method=\(method)", "--set", "\(key)=\(value)"],
            in: folder, executable: "/bin/sh")
          #expect([0, 1, 64, 65, 66].contains(outcome.status), "\(value): \(outcome.status) \(outcome.errors)")
          #expect(
            outcome.status == 0 || outcome.errors.split(separator: "\n").count == 1, "\(value): \(outcome.errors)")
        }
      }
    }
  }

  /// The same for the numbers of an adapter.
  @Test func wrongNumbersOfAnAdapterAreErrors() throws {
    try withCheckpoint { folder in
      let adapter = folder + "/run/checkpoint-6", file = adapter + "/adapter_config.json"
      let members = try #require(JSON.read(file: file).object)
      for index in members.indices {
        for value in [
          "0", "-1", "1e30", "2147483647", "4611686018427387904", "1.5", "NaN", "[]", "[-1]", "[2147483647]",
        ] {
          let entries = members.indices.map { place in
            JSON.string(members[place].key).compact + ": " + (place == index ? value : members[place].value.compact)
          }
          try writeAtomically("{" + entries.joined(separator: ", ") + "}", to: file)
          let outcome = try Program.run(
            ["-c", "ulimit -v 3000000; exec \"$@\"", "sh", Program.path, "inspect", "--checkpoint", adapter],
            in: folder, executable: "/bin/sh")
          #expect([0, 65, 66].contains(outcome.status), "\(members[index].key) \(value): \(outcome.errors)")
        }
      }
    }
  }
}
