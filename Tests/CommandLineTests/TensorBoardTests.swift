import FileFormats
import System
import Testing
import TestSupport

@Suite struct TensorBoardTests {
  /// A stopped run and its second half leave a file each, which say what metrics.jsonl says.
  @Test func eventFilesHoldTheMetrics() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let asked = ["--set", "training.report_to=tensorboard"]
      #expect(try example.trainRun(asked + ["--stop-after", "4"]).status == 0)
      #expect(names(inDirectory: folder + "/run/tensorboard").count == 1)
      #expect(try example.trainRun(asked + ["--resume"]).status == 0)
      let files = names(inDirectory: folder + "/run/tensorboard")
      #expect(files.count == 2 && files.allSatisfy { $0.hasPrefix("events.out.tfevents.") })
      // What comes after a stop replaces what earlier files say of later steps, and nothing else.
      #expect(try files.map { try firstStep(of: folder + "/run/tensorboard/" + $0) }.sorted() == [0, 5])
      let found = try files.flatMap { try scalars(of: folder + "/run/tensorboard/" + $0) }.sorted()

      let tags = [
        "loss": "train/loss", "label_accuracy": "train/label_accuracy", "learning_rate": "train/learning_rate",
        "grad_norm": "train/grad_norm", "examples_per_second": "train/examples_per_second", "eval_loss": "eval/loss",
        "eval_accuracy": "eval/accuracy", "eval_macro_f1": "eval/macro_f1",
      ]
      let lines = try readBytes(of: folder + "/run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
        .map { try JSON(parsing: Array($0), file: "metrics") }
      let expected = try lines.flatMap { line in
        let step = try #require(line["step"]?.integer)
        return try (line.object ?? []).compactMap { member in
          try tags[member.key].map { Scalar(step: step, tag: $0, value: Float(try #require(member.value.number))) }
        }
      }
      #expect(found == expected.sorted() && found.count == 6 * 5 + 3 * 3)
    }
  }

  /// Asking for event files, or no longer, is no reason not to go on; and they go with the run that wrote them.
  @Test func reportingMayChangeAndIsOverwritten() throws {
    try withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      let asked = ["--set", "training.report_to=tensorboard"]
      #expect(try example.trainRun(["--stop-after", "2"]).status == 0)
      #expect(!fileExists(folder + "/run/tensorboard"))
      #expect(try example.trainRun(asked + ["--resume", "--stop-after", "4"]).status == 0)
      #expect(try example.trainRun(["--resume"]).status == 0)
      #expect(names(inDirectory: folder + "/run/tensorboard").count == 1)
      try writeAtomically("mine", to: folder + "/run/tensorboard.txt")
      #expect(try example.trainRun(["--overwrite"]).status == 0)
      #expect(!fileExists(folder + "/run/tensorboard") && fileExists(folder + "/run/tensorboard.txt"))
      let wrong = try example.trainRun(["--overwrite", "--set", "training.report_to=wandb"])
      #expect(wrong.status == 65 && wrong.errorLine.contains("one of \"none\", \"tensorboard\""), "\(wrong.errors)")
    }
  }
}

private struct Scalar: Comparable {
  let step: Int
  let tag: String
  let value: Float

  static func < (a: Scalar, b: Scalar) -> Bool { (a.step, a.tag) < (b.step, b.tag) }
}

private typealias Fields = [(number: Int, bytes: ArraySlice<UInt8>)]

/// The events of a file.
private func events(of file: String) throws -> [Fields] {
  var rest = try readBytes(of: file)[...]
  var events: [Fields] = []
  while !rest.isEmpty {
    let length = Int(littleEndian(rest.prefix(8)))
    events.append(fields(of: rest.dropFirst(12).prefix(length)))
    #expect(Array(rest.prefix(16 + length)) == tensorBoardRecord(Array(rest.dropFirst(12).prefix(length))))
    rest = rest.dropFirst(16 + length)
  }
  return events
}

private func step(of event: Fields) -> Int { event.first { $0.number == 2 }.map { Int(varint($0.bytes).value) } ?? 0 }

/// The step a file begins with, as its session log says.
private func firstStep(of file: String) throws -> Int {
  try step(of: #require(events(of: file).first { $0.contains { $0.number == 7 } }))
}

/// The scalars of an event file.
private func scalars(of file: String) throws -> [Scalar] {
  var scalars: [Scalar] = []
  for event in try events(of: file) {
    let step = step(of: event)
    for summary in event where summary.number == 5 {
      for entry in fields(of: summary.bytes) {
        let value = fields(of: entry.bytes)
        let tag = try #require(value.first { $0.number == 1 }), number = try #require(value.first { $0.number == 2 })
        scalars.append(
          Scalar(
            step: step, tag: String(decoding: tag.bytes, as: UTF8.self),
            value: Float(bitPattern: UInt32(littleEndian(number.bytes)))))
      }
    }
  }
  return scalars
}

/// The fields of a protobuf message, their contents as they stand there.
private func fields(of message: ArraySlice<UInt8>) -> Fields {
  var rest = message
  var fields: Fields = []
  while !rest.isEmpty {
    let key = varint(rest)
    rest = rest.dropFirst(key.size)
    let number = varint(rest)
    var length = [1: 8, 5: 4][key.value & 7] ?? number.size
    if key.value & 7 == 2 {
      rest = rest.dropFirst(number.size)
      length = Int(number.value)
    }
    fields.append((Int(key.value >> 3), rest.prefix(length)))
    rest = rest.dropFirst(length)
  }
  return fields
}

private func varint(_ bytes: ArraySlice<UInt8>) -> (value: UInt64, size: Int) {
  let size = (bytes.firstIndex { $0 < 0x80 } ?? bytes.startIndex) - bytes.startIndex + 1
  return (bytes.prefix(size).reversed().reduce(0) { $0 << 7 | UInt64($1 & 0x7F) }, size)
}

private func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
