/// A hash of numbers in their order, to notice that something has changed (FNV-1a of 64 bits).
package struct Fingerprint: Sendable {
  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

  package init() {}

  package init(of bytes: [UInt8]) {
    self.init()
    add(bytes)
  }

  package mutating func add(_ bytes: [UInt8]) {
    for byte in bytes { add(Int(byte)) }
    add(bytes.count)
  }

  package mutating func add(_ value: Int) {
    hash = (hash ^ UInt64(bitPattern: Int64(value))) &* 0x100_0000_01B3
  }

  package mutating func add(_ value: Float) { add(Int(value.bitPattern)) }

  package mutating func add(_ text: String) {
    for byte in text.utf8 { add(Int(byte)) }
    add(-1)
  }

  /// The hash of a text alone.
  package init(of text: String) { add(text) }

  /// The hash in hexadecimal digits.
  package var text: String { String(hash, radix: 16) }
}
