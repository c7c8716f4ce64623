import FileFormats
import Foundation
import Runs
import System
import Testing
import TestSupport

#if MPI
  /// Processes that mpirun starts share the work of a command.
  @Suite(.serialized) struct RankTests {
    /// The launcher, which `CPT_MPIRUN` may name: that of the library the program is linked with.
    private static let launcher = ProcessInfo.processInfo.environment["CPT_MPIRUN"] ?? "mpirun"
    /// Open MPI wants to be told that root and more processes than cores are meant.
    private static let environment = [
      "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_rmaps_base_oversubscribe=1",
    ]

    private func words(_ ranks: Int, _ arguments: [String]) -> [String] {
      Self.environment + [Self.launcher, "-n", String(ranks), Program.path] + arguments
    }

    private func run(
      _ ranks: Int, _ arguments: [String], in folder: String, input: [UInt8] = []
    ) throws -> Program.Outcome {
      try Program.run(words(ranks, arguments), in: folder, input: input, executable: "/usr/bin/env")
    }

    private func write(in folder: String) throws {
      var example = WorkingExample(in: folder)
      example.set("training", "learning_rate", .number(1e-3))
      example.set("training", "max_steps", .integer(20))
      try example.write()
    }

    private let train = ["train", "--config", "config.json", "--threads", "1"]

    private func losses(_ run: String) throws -> [Double] {
      try ["loss", "eval_loss"].flatMap { key in
        try metrics(in: run, with: key).map { try #require($0[key]?.number) }
      }
    }

    @Test func trainingIsShared() throws {
      try withTemporaryFolder { folder in
        try write(in: folder)
        #expect(try Program.run(train + ["--output", "alone"], in: folder).status == 0)
        let expected = try losses(folder + "/alone")
        #expect(expected.count == 26)
        for (name, ranks, flags) in [
          ("one", 1, []), ("two", 2, []), ("again", 2, []), ("parts", 2, ["--tensor-parallel", "2"]),
          ("both", 4, ["--tensor-parallel", "2"]),
        ] {
          let outcome = try run(ranks, train + ["--output", name] + flags, in: folder)
          #expect(outcome.status == 0, "\(outcome.errors)")
          // Only the first rank speaks.
          #expect(outcome.output.split(separator: "\n").count { $0.hasPrefix("trained 20 of 20") } == 1)
          for (one, other) in zip(expected, try losses("\(folder)/\(name)")) { #expect(abs(other / one - 1) < 1e-5) }
        }
        func adapter(_ name: String) throws -> [UInt8] {
          try readBytes(of: "\(folder)/\(name)/adapter_model.safetensors")
        }
        #expect(try adapter("one") == adapter("alone"))
        #expect(try adapter("two") == adapter("again") && adapter("two") != adapter("alone"))
        // With the ranks that a run had, it goes on without a word; with others, it says so.
        let resumed = try run(1, train + ["--output", "two", "--resume"], in: folder)
        #expect(resumed.status == 0 && resumed.errors.contains("the run used 2 ranks so far; with 1 rank"))
      }
    }

    @Test func rowsAreShared() throws {
      try withTemporaryFolder { folder in
        try write(in: folder)
        #expect(try Program.run(train, in: folder).status == 0)
        let rows = (0..<500).map { "\($0 % 3 == 0 ? "refund" : "parcel") number \($0) \($0 % 7)\tbilling\n" }
        try writeAtomically("text\tlabel\n" + rows.joined(), to: folder + "/many.tsv")
        let predict = ["predict", "--checkpoint", "run", "--threads", "1", "--data"]
        let expected = try Program.run(predict + ["many.tsv"], in: folder)
        #expect(expected.status == 0 && expected.output.split(separator: "\n").count == 501)
        for ranks in [2, 4] {
          #expect(try run(ranks, predict + ["many.tsv"], in: folder).output == expected.output)
        }
        let piped = try run(
          2, predict + ["-", "--format", "tsv"], in: folder, input: readBytes(of: folder + "/many.tsv"))
        #expect(piped.output == expected.output)
        let evaluate = ["eval", "--checkpoint", "run", "--data", "many.tsv", "--threads", "1", "--predictions"]
        let alone = try Program.run(evaluate + ["alone.jsonl"], in: folder)
        let shared = try run(4, evaluate + ["shared.jsonl"], in: folder)
        #expect(alone.status == 0 && alone.output == shared.output, "\(shared.errors)")
        #expect(try readBytes(of: folder + "/alone.jsonl") == readBytes(of: folder + "/shared.jsonl"))
      }
    }

    @Test func cellsAreShared() throws {
      try withTemporaryFolder { folder in
        var example = WorkingExample(in: folder)
        example.set("data", "validation_fraction", .number(0.25))
        let members = (example.configuration["data"]?.object ?? []).filter { $0.key != "validation" }
        example.configuration["data"] = .object(members)
        example.configuration["output_dir"] = nil
        try example.write()
        let study = """
          {"base": \(try String(decoding: readBytes(of: folder + "/config.json"), as: UTF8.self)),
           "methods": {"cpt": {"training": {"learning_rate": [1e-9, 0.01]}}, "icl": {}, "head": {}}, "seeds": [0, 1, 2]}
          """
        try writeAtomically(study, to: folder + "/study.json")
        let compare = ["compare", "--study", "study.json", "--threads", "1", "--output"]
        let alone = try Program.run(compare + ["alone"], in: folder)
        #expect(alone.status == 0, "\(alone.errors)")
        for ranks in [2, 4] {
          let outcome = try run(ranks, compare + ["shared-\(ranks)"], in: folder)
          #expect(outcome.status == 0, "\(outcome.errors)")
          #expect(
            try readBytes(of: folder + "/shared-\(ranks)/comparison.json")
              == readBytes(of: folder + "/alone/comparison.json"))
        }
        // What is finished is kept, on any number of ranks.
        let resumed = try run(2, compare + ["alone", "--resume"], in: folder)
        #expect(resumed.status == 0 && resumed.errors.contains("kept"), "\(resumed.errors)")
      }
    }

    /// The second rank's folder has another model, or other rows; or the rank is given another command.
    @Test(arguments: ["nowhere", "the configuration", "the command line", "the study"])
    func aRankThatDiffersIsNamed(what: String) throws {
      try withTemporaryFolder { folder in
        try write(in: folder)
        var other = WorkingExample(in: folder + "/other")
        try makeDirectory(other.folder)
        other.set("training", "learning_rate", .number(1e-3))
        other.set("training", "max_steps", .integer(20))
        if what == "nowhere" { other.configuration["base_model_name_or_path"] = .string("nowhere") }
        other.train[3].0 += " or what"
        try other.write()
        let command =
          what == "the study" ? ["compare", "--config", "config.json", "--threads", "1", "--seeds", "1"] : train
        let start = ContinuousClock.now
        let isOther = "[ ${OMPI_COMM_WORLD_RANK:-$PMI_RANK} = 1 ]"
        let script =
          what == "the command line"
          ? "\(isOther) && set -- \"$@\" --stop-after 3; exec \"$@\"" : "\(isOther) && cd other; exec \"$@\""
        let outcome = try Program.run(
          Self.environment + [Self.launcher, "-n", "2", "sh", "-c", script, "sh", Program.path] + command, in: folder,
          executable: "/usr/bin/env")
        #expect(outcome.status != 0 && ContinuousClock.now - start < .seconds(20))
        let errors = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("cpt: error:") }
        #expect(errors.count == 1 && errors[0].contains("rank 1 ") && errors[0].contains(what), "\(errors)")
        #expect(!fileExists(folder + "/run/metrics.jsonl"))
      }
    }

    /// A killed rank ends the others; the checkpoints are whole, and the run goes on from them.
    @Test func aKilledRankEndsTheRun() throws {
      try withTemporaryFolder { folder in
        try write(in: folder)
        let long = train + ["--set", "training.max_steps=100000"]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words(2, long)
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let checkpoints = RunDirectory(folder + "/run")
        while process.isRunning, checkpoints.checkpointSteps.isEmpty { usleep(10_000) }
        let listed = try Program.run(["-n", "-f", "^\(Program.path) train"], executable: "/usr/bin/pgrep")
        let rank = try #require(Int32(listed.output.split(separator: "\n").last ?? ""))
        let start = ContinuousClock.now
        kill(rank, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationStatus != 0 && ContinuousClock.now - start < .seconds(20))
        let last = try #require(checkpoints.checkpointSteps.last)
        let resumed = try run(2, long + ["--resume", "--stop-after", String(last + 3)], in: folder)
        #expect(resumed.status == 0 && resumed.output.contains("stopped after \(last + 3)"), "\(resumed.errors)")
      }
    }

    @Test func whatRanksCannotDo() throws {
      try withTemporaryFolder { folder in
        try write(in: folder)
        for (arguments, expected) in [
          (train + ["--tensor-parallel", "3"], "does not divide the 2 ranks"),
          (["report", "run", "--output", "report.html"], "runs as one process, found 2 ranks"),
        ] {
          let outcome = try run(2, arguments, in: folder)
          let errors = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("cpt: error:") }
          #expect(outcome.status != 0 && errors.count == 1 && errors[0].contains(expected), "\(outcome.errors)")
        }
      }
    }
  }
#else
  @Suite struct RankTests {
    /// Each of them would do all the work, and write over the others' files.
    @Test func ranksOfAProgramWithoutMPIAreRefused() throws {
      for (variable, isRefused) in [("OMPI_COMM_WORLD_SIZE=4", true), ("PMI_SIZE=2", true), ("PMI_SIZE=1", false)] {
        let outcome = try Program.run([variable, Program.path, "--version"], executable: "/usr/bin/env")
        #expect((outcome.status == 1) == isRefused)
        #expect(outcome.errors.contains("a cpt without MPI; build it with swift build --traits MPI") == isRefused)
      }
    }
  }
#endif
