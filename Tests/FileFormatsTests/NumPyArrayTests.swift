import FileFormats
import Testing

@Suite struct NumPyArrayTests {
  @Test func numPyHeaderIsPaddedAndSaysItsShape() {
    let bytes = numPyArray(shape: [2, 1], values: [1, 2])
    #expect(bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0]))
    #expect((bytes.count - 8) % 64 == 0)
    #expect(
      String(decoding: bytes[10..<(bytes.count - 8)], as: UTF8.self).hasPrefix(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"))
    #expect(Array(bytes.suffix(8)) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
  }
}
