import Method

/// Changes an input; libFuzzer calls it. Half of the changes are libFuzzer's own, of bytes; half are edits of JSON.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ start: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ seed: UInt32) -> Int {
  var generator = SeededGenerator(seed: Int(seed), .sampling)
  let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
  let places = bytes.indices.filter { isStart($0, of: bytes) }
  guard Bool.random(using: &generator), let place = places.randomElement(using: &generator),
    let other = places.randomElement(using: &generator)
  else { return mutateBytes(start, count, capacity) }

  let range = place..<endOfValue(at: place, in: bytes), value = Array(bytes[range])
  let replacement: [UInt8] =
    switch Int.random(in: 0..<6, using: &generator) {
    case 0, 1: Array((values.randomElement(using: &generator) ?? "").utf8)
    case 2: Array(bytes[other..<endOfValue(at: other, in: bytes)])
    case 3:
      Array([[UInt8]](repeating: value, count: Int.random(in: 2...40, using: &generator)).joined(separator: [0x2C]))
    case 4: Array("[".utf8) + value + Array("]".utf8)
    default: []
    }
  var result = bytes
  // Nothing in place of a value takes the comma behind it, too.
  let end = replacement.isEmpty && range.upperBound < count && bytes[range.upperBound] == 0x2C ? 1 : 0
  result.replaceSubrange(range.lowerBound..<(range.upperBound + end), with: replacement)
  result = Array(result.prefix(capacity))
  _ = UnsafeMutableBufferPointer(start: start, count: capacity).update(fromContentsOf: result)
  return result.count
}

/// libFuzzer's own change of an input.
@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ start: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int) -> Int

/// Values at the limits of what a reader expects.
private let values = [
  "null", "true", "false", "0", "-1", "1", "2", "3", "0.5", "1e-30", "-1e-320", "65536", "2147483647", "2147483648",
  "9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e30", "1e308", "1e999",
  "NaN", "Infinity", #""""#, #""\u0000""#, #""\ud83d""#, #""é""#, #"" ""#, "[]", "{}", "[[]]", "[0]", "[null]",
]

/// Whether a JSON value, a key, or the word of another format begins here.
private func isStart(_ index: Int, of bytes: [UInt8]) -> Bool {
  switch bytes[index] {
  case UInt8(ascii: "\""), UInt8(ascii: "["), UInt8(ascii: "{"): true
  case let byte: isWord(byte) && (index == 0 || !isWord(bytes[index - 1]))
  }
}

private func isWord(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
  case UInt8(ascii: "0")...UInt8(ascii: "9"): true
  default: [UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "_")].contains(byte)
  }
}

/// The end of the string, list, object or word that begins at an index; of an unclosed one, the end of the input.
private func endOfValue(at start: Int, in bytes: [UInt8]) -> Int {
  if isWord(bytes[start]) { return bytes[start...].firstIndex { !isWord($0) } ?? bytes.endIndex }
  var depth = 0, isInString = false, index = start
  while index < bytes.endIndex {
    switch bytes[index] {
    case UInt8(ascii: "\\") where isInString: index += 1
    case UInt8(ascii: "\""): isInString.toggle()
    case UInt8(ascii: "["), UInt8(ascii: "{"): depth += isInString ? 0 : 1
    case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= isInString ? 0 : 1
    default: break
    }
    index += 1
    if depth <= 0, !isInString { break }
  }
  return min(index, bytes.endIndex)
}
