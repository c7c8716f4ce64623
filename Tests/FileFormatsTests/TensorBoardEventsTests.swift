import FileFormats
import Testing
import TestSupport

@Suite struct TensorBoardEventsTests {
  /// RFC 3720, B.4, and the check value of the CRC catalogue.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([], 0), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
    ] as [([UInt8], UInt32)])
  func checksums(bytes: [UInt8], expected: UInt32) {
    #expect(crc32C(bytes) == expected)
  }

  /// What TensorBoard's own writer (tensorboard 2.21.0) makes of the same events:
  ///
  ///     from tensorboard.compat.proto.event_pb2 import Event, SessionLog
  ///     from tensorboard.compat.proto.summary_pb2 import Summary
  ///     from tensorboard.summary.writer.record_writer import RecordWriter
  ///     file = io.BytesIO(); writer = RecordWriter(file)
  ///     for event in (Event(wall_time=1700000000.25, file_version="brain.Event:2"),
  ///                   Event(wall_time=1700000000.25, step=301, session_log=SessionLog(status=SessionLog.START)),
  ///                   Event(wall_time=1700000001.5, step=320, summary=Summary(value=[
  ///                       Summary.Value(tag="train/loss", simple_value=0.1),
  ///                       Summary.Value(tag="eval/macro_f1", simple_value=-2.5)]))):
  ///         writer.write(event.SerializeToString())
  ///     print(file.getvalue().hex())
  @Test func recordsAreThoseOfTensorBoard() {
    let golden =
      "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9"
      + "100000000000000095fbfe180900001040fc54d94110ad023a020801cb79b93b"
      + "3700000000000000e7e8ca590900006040fc54d94110c0022a290a110a0a747261696e2f6c6f737315cdcccc3d"
      + "0a140a0d6576616c2f6d6163726f5f663115000020c025e121e9"
    let events = [
      TensorBoardEvent(wallTime: 1_700_000_000.25, content: .fileVersion),
      TensorBoardEvent(wallTime: 1_700_000_000.25, step: 301, content: .sessionStart),
      TensorBoardEvent(
        wallTime: 1_700_000_001.5, step: 320, content: .scalars([("train/loss", 0.1), ("eval/macro_f1", -2.5)])),
    ]
    let hexadecimal = events.flatMap { tensorBoardRecord($0.bytes) }.map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    #expect(hexadecimal.joined() == golden)
  }
}
