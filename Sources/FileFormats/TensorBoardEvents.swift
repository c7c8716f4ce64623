import Glibc
import System

/// An event file of scalars for TensorBoard.
///
/// A record (TFRecord) for each `Event` message. A run needs four protobuf messages of one to four fields and only
/// writes them, so they are encoded here by hand: no package, no generated code.
///
/// Source: https://github.com/tensorflow/tensorboard, `compat/proto/event.proto`, `summary.proto`, `record_writer.py`.
package final class TensorBoardEventFile {
  private let file: AppendingFile

  /// Starts a new file in a folder, which it creates; TensorBoard merges the files of a folder.
  ///
  /// - Parameters:
  ///   - folder: the folder of the file, which is named `events.out.tfevents.<unix time>.<host>.<process>`.
  ///   - firstStep: the first step of this file; it invalidates later steps of earlier files.
  /// - Throws: `InputError.failure` when a system call fails.
  package init(folder: String, firstStep: Int) throws {
    try makeDirectory(folder)
    let now = wallTime()
    file = try AppendingFile(path: "\(folder)/events.out.tfevents.\(Int(now)).\(hostName()).\(getpid())")
    try file.append(
      tensorBoardRecord(TensorBoardEvent(wallTime: now, content: .fileVersion).bytes)
        + tensorBoardRecord(TensorBoardEvent(wallTime: now, step: firstStep, content: .sessionStart).bytes))
  }

  /// Adds the scalars of a step; the system has them when this returns.
  package func append(step: Int, _ scalars: [(tag: String, value: Double)]) throws {
    let event = TensorBoardEvent(wallTime: wallTime(), step: step, content: .scalars(scalars))
    try file.append(tensorBoardRecord(event.bytes))
  }
}

/// TensorBoard's `Event` message.
package struct TensorBoardEvent {
  package enum Content {
    /// "brain.Event:2", the first event of every file.
    case fileVersion
    /// Invalidates the events of earlier files from this event's step on.
    case sessionStart
    case scalars([(tag: String, value: Double)])
  }

  /// Seconds since 1970.
  let wallTime: Double
  let step: Int
  let content: Content

  package init(wallTime: Double, step: Int = 0, content: Content) {
    self.wallTime = wallTime
    self.step = step
    self.content = content
  }

  /// The message in protobuf's encoding.
  package var bytes: [UInt8] {
    var event = ProtobufMessage()
    event.add(field: 1, double: wallTime)
    if step != 0 { event.add(field: 2, varint: UInt64(step)) }
    switch content {
    case .fileVersion: event.add(field: 3, bytes: Array("brain.Event:2".utf8))
    case .sessionStart:
      var sessionLog = ProtobufMessage()
      sessionLog.add(field: 1, varint: 1)
      event.add(field: 7, bytes: sessionLog.bytes)
    case .scalars(let scalars):
      var summary = ProtobufMessage()
      for scalar in scalars {
        var value = ProtobufMessage()
        value.add(field: 1, bytes: Array(scalar.tag.utf8))
        value.add(field: 2, float: Float(scalar.value))
        summary.add(field: 1, bytes: value.bytes)
      }
      event.add(field: 5, bytes: summary.bytes)
    }
    return event.bytes
  }
}

/// A protobuf message being written: its fields in sequence, each after its number and wire type.
private struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  mutating func add(field: UInt64, varint value: UInt64) {
    addVarint(field << 3)
    addVarint(value)
  }

  mutating func add(field: UInt64, double value: Double) {
    addVarint(field << 3 | 1)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func add(field: UInt64, float value: Float) {
    addVarint(field << 3 | 5)
    bytes += littleEndian(value.bitPattern)
  }

  /// A string or a message.
  mutating func add(field: UInt64, bytes value: [UInt8]) {
    addVarint(field << 3 | 2)
    addVarint(UInt64(value.count))
    bytes += value
  }

  /// Seven bits per byte, lowest first; the top bit marks that more follow.
  private mutating func addVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// A TFRecord: length, its checksum, data, their checksum.
package func tensorBoardRecord(_ data: [UInt8]) -> [UInt8] {
  let length = littleEndian(UInt64(data.count))
  return length + littleEndian(maskedChecksum(length)) + data + littleEndian(maskedChecksum(data))
}

/// CRC-32C, rotated and offset so that the checksum of data with checksums in it is not trivial.
private func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
  let checksum = crc32C(bytes)
  return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
}

/// The CRC of RFC 3720 (Castagnoli's polynomial, reflected).
package func crc32C(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(~0) { $0 >> 8 ^ crcTable[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
}

private let crcTable: [UInt32] = (0..<256).map { byte in
  (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
}

private func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  stride(from: 0, to: Value.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: value >> $0) }
}

/// Seconds since 1970.
private func wallTime() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

private func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
