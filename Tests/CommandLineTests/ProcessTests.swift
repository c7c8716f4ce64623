import FileFormats
import Foundation
import System
import Testing
import TestSupport

/// What the system gives the process: descriptors, addresses, cores, files that change.
@Suite struct ProcessTests {
  private func shell(_ script: String, in folder: String) throws -> Program.Outcome {
    try Program.run(["-c", script, Program.path], in: folder, executable: "/bin/sh")
  }

  /// Files get the lowest free numbers: what is printed must not end up in them.
  @Test(arguments: ["2>&-", ">&-", "<&- 2>&-", "<&- >&- 2>&-"])
  func closedDescriptors(redirection: String) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun(["--output", "usual"]).status == 0)
      let outcome = try shell("\"$0\" train --config config.json \(redirection)", in: folder)
      // The summary cannot be printed on a closed standard output.
      #expect(outcome.status == (redirection.contains(">&- ") || redirection == ">&-" ? 1 : 0), "\(outcome.errors)")
      for name in ["adapter_model.safetensors", "best/trainer_state.json", "cpt.lock"] {
        #expect(try readBytes(of: folder + "/run/" + name) == readBytes(of: folder + "/usual/" + name), "\(name)")
      }
      let lines = try readBytes(of: folder + "/run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
      #expect(lines.count == 9 && lines.allSatisfy { $0.first == UInt8(ascii: "{") })
    }
  }

  /// OpenBLAS would try for ever to get its memory.
  @Test(arguments: [300_000, 500_000])
  func tooFewAddresses(limit: Int) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let outcome = try shell("ulimit -v \(limit); \"$0\" train --config config.json --threads 2", in: folder)
      #expect(outcome.status == 64 && outcome.errorLine.contains("ulimit -v: is"), "\(outcome.errors)")
      #expect(!fileExists(folder + "/run"))
    }
  }

  @Test func enoughAddresses() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let outcome = try shell("ulimit -v 900000; \"$0\" train --config config.json --threads 2", in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }

  @Test(arguments: [
    ("ulimit -s 128", 64, "ulimit -s: is 128 kB"), ("ulimit -f 2", 1, "cannot be written: File too large"),
    ("ulimit -n 4", 1, "Too many open files"),
  ])
  func otherLimits(limit: String, status: Int32, message: String) throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let outcome = try shell("\(limit); \"$0\" train --config config.json", in: folder)
      #expect(outcome.status == status && outcome.errorLine.contains(message), "\(outcome.errors)")
      #expect(try example.trainRun(["--overwrite"]).status == 0)
    }
  }

  /// What `nohup` does.
  @Test func anIgnoredHangUpStaysIgnored() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.set("training", "max_steps", .integer(300))
      try example.write()
      let script = """
        trap '' HUP; "$0" train --config config.json & p=$!
        until [ -s run/metrics.jsonl ]; do sleep 0.01; done; kill -HUP $p; wait $p
        """
      let outcome = try shell(script, in: folder)
      #expect(outcome.status == 0 && outcome.output.contains("trained 300 of 300 steps"), "\(outcome.errors)")
    }
  }

  @Test func limitsAreShownWithTheirSource() throws {
    let usual = try Program.run(["--version", "--verbose"])
    #expect(usual.status == 0 && usual.output.contains("OpenBLAS"), "\(usual.output)")
    #expect(usual.output.contains("(online processors)") && usual.output.contains("(physical memory)"))
    let limited = try shell("ulimit -v 2000000; taskset -c 0 \"$0\" --version --verbose", in: repository)
    #expect(limited.output.contains("threads   1: ") && limited.output.contains("1 (processor affinity)"))
    #expect(limited.output.contains("memory    1.60 GB") && limited.output.contains("(ulimit -v)"))
  }

  /// Another program shortens the model's file during a run.
  @Test func aFileThatShrinks() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      let source = repository + "/configs/quickstart/model", model = folder + "/model"
      try makeDirectory(model)
      for name in names(inDirectory: source) {
        try writeAtomically(readBytes(of: source + "/" + name), to: model + "/" + name)
      }
      example.configuration["base_model_name_or_path"] = .string("model")
      example.set("training", "max_steps", .integer(100_000))
      try example.write()
      let process = Process(), errors = Pipe()
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["train", "--config", "config.json", "--threads", "1"]
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      process.standardOutput = FileHandle.nullDevice
      process.standardError = errors
      try process.run()
      while process.isRunning, !fileExists(folder + "/run/checkpoint-2") { usleep(1000) }
      #expect(truncate(model + "/model.safetensors", 4096) == 0)
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 66)
      let last = text.split(separator: "\n").last ?? ""
      #expect(last.hasPrefix("cpt: error: ") && last.contains("model.safetensors: cannot be read any more"), "\(last)")
    }
  }

  @Test func foldersThatAreNoUTF8() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let script =
        #"d=$(printf 'caf\351'); "$0" train --config config.json --output "$d" && "$0" eval --checkpoint "$d" --json"#
      let outcome = try shell(script, in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(names(inDirectory: folder).contains(pathText([0x63, 0x61, 0x66, 0xE9])))
      let missing = try shell(#""$0" eval --checkpoint "$(printf '\350')""#, in: folder)
      #expect(missing.status == 66 && missing.errorLine.contains(#"\xE8/adapter_config.json"#), "\(missing.errors)")
    }
  }
}
