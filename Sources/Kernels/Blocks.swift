import COpenBLAS

// How numbers are stored: in blocks of some numbers and some bytes, a stored row in whole blocks.
//
// GGUF's blocks are those of ggml-common.h. Their products are exact in float32 and only a sum is rounded, so the numbers
// are those of ggml's `dequantize_row_*` and of the Python package gguf bit for bit, in any order of operations.

extension Weight.Format {
  /// Numbers and bytes of a block; a format without blocks has blocks of one number.
  package var block: (numbers: Int, bytes: Int) {
    switch self {
    case .float32: (1, 4)
    case .float16, .bfloat16: (1, 2)
    case .eightBitBlocks: (32, 36)
    case .q4_0, .iq4_nl: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q2_K: (256, 84)
    case .q3_K: (256, 110)
    case .q4_K: (256, 144)
    case .q5_K: (256, 176)
    case .q6_K: (256, 210)
    case .iq4_xs: (256, 136)
    }
  }

  /// Bytes of a stored row; the last block of our own may be in part unused.
  func bytes(ofRow numbers: Int) -> Int { (numbers + block.numbers - 1) / block.numbers * block.bytes }

  /// Writes these columns of a stored row as float32.
  func widen(_ columns: Range<Int>, ofRow row: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
    let (size, bytes) = block
    var column = columns.lowerBound
    while column < columns.upperBound {
      let source = row + column / size * bytes, place = target + (column - columns.lowerBound)
      let skipped = column % size, left = columns.upperBound - column
      if skipped == 0, left >= size {
        widen(blocks: left / size, at: source, into: place)
        column += left / size * size
      } else {
        let count = min(size - skipped, left)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { numbers in
          guard let start = numbers.baseAddress else { return }
          widen(blocks: 1, at: source, into: start)
          place.update(from: start + skipped, count: count)
        }
        column += count
      }
    }
  }

  private func widen(blocks count: Int, at source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
    let (size, bytes) = block
    @inline(__always) func each(_ widenBlock: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void) {
      for i in 0..<count { widenBlock(source + i * bytes, target + i * size) }
    }
    switch self {
    case .float32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 4 * count)
    case .float16: widenFloat16(source, into: target, count: count)
    case .bfloat16: widenBFloat16(source, into: target, count: count)
    case .eightBitBlocks: each(widenEightBitBlock)
    case .q4_0: each(widenQ4_0)
    case .q4_1: each(widenQ4_1)
    case .q5_0: each(widenQ5_0)
    case .q5_1: each(widenQ5_1)
    case .q8_0: each(widenQ8_0)
    case .q2_K: each(widenQ2_K)
    case .q3_K: each(widenQ3_K)
    case .q4_K: each(widenQ4_K)
    case .q5_K: each(widenQ5_K)
    case .q6_K: each(widenQ6_K)
    case .iq4_nl: each(widenIQ4_NL)
    case .iq4_xs: each(widenIQ4_XS)
    }
  }
}

// MARK: Parts of blocks

private typealias Bytes = SIMD16<UInt8>

@inline(__always)
private func bytes(_ pointer: UnsafeRawPointer) -> Bytes { pointer.loadUnaligned(as: Bytes.self) }

@inline(__always)
private func float16(_ pointer: UnsafeRawPointer) -> Float {
  Float(Float16(bitPattern: pointer.loadUnaligned(as: UInt16.self)))
}

@inline(__always)
private func byte(_ pointer: UnsafeRawPointer, _ index: Int) -> UInt8 {
  pointer.load(fromByteOffset: index, as: UInt8.self)
}

/// The bytes as float32. The standard library's conversion goes lane by lane.
@inline(__always)
private func floats(_ bytes: Bytes) -> Vector { cpt_floats(bytes) }

/// 16 signed bytes as float32.
@inline(__always)
private func signedFloats(_ pointer: UnsafeRawPointer) -> Vector {
  cpt_signed_floats(pointer.loadUnaligned(as: SIMD16<Int8>.self))
}

/// `numbers` with this bit wherever `flags` has one of the bits of `mask`.
@inline(__always)
private func setting(_ bit: UInt8, of numbers: Bytes, where flags: Bytes, has mask: Bytes) -> Bytes {
  numbers.replacing(with: numbers | bit, where: (flags & mask) .== mask)
}

/// `numbers` with bit 4 in lane i if bit i of the two bytes at `pointer` is set.
@inline(__always)
private func settingFifthBit(of numbers: Bytes, from pointer: UnsafeRawPointer) -> Bytes {
  let flags = Bytes(
    lowHalf: SIMD8(repeating: byte(pointer, 0)), highHalf: SIMD8(repeating: byte(pointer, 1)))
  return setting(16, of: numbers, where: flags, has: Bytes(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128))
}

// MARK: Blocks of one number

private func widenFloat16(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, count: Int) {
  for i in 0..<count { target[i] = float16(source + 2 * i) }
}

private func widenBFloat16(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>, count: Int) {
  for i in 0..<count {
    let high = UInt32(source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
    target[i] = Float(bitPattern: high << 16)
  }
}

// MARK: Blocks of 32 numbers

/// d float32 · q [32] int8: q · d with d = max |number| / 127, so that a number is off by at most d / 2.
///
/// The same as Q8_0 but for the factor's width.
@inline(__always)
private func widenEightBitBlock(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = block.loadUnaligned(as: Float.self)
  store(signedFloats(block + 4) * d, target)
  store(signedFloats(block + 20) * d, target + 16)
}

/// Writes a row in blocks; the numbers that are missing in the last are zeros.
func writeEightBitBlocks(_ numbers: UnsafePointer<Float>, count: Int, to target: UnsafeMutableRawPointer) {
  let size = Weight.Format.eightBitBlocks.block.numbers, bytes = Weight.Format.eightBitBlocks.block.bytes
  for (index, first) in stride(from: 0, to: count, by: size).enumerated() {
    let block = target + index * bytes
    let members = first..<min(first + size, count)
    let largest = members.reduce(Float(0)) { max($0, abs(numbers[$1])) }
    let factor = largest / 127
    // A non-finite number stays visible: its block becomes NaN.
    block.storeBytes(of: largest.isFinite ? factor : .nan, as: Float.self)
    for i in 0..<size {
      let isUsed = first + i < count && factor > 0 && factor.isFinite
      let scaled = isUsed ? (numbers[first + i] / factor).rounded() : 0
      block.storeBytes(of: Int8(max(-127, min(127, scaled))), toByteOffset: 4 + i, as: Int8.self)
    }
  }
}

/// d float16 · q [16]: the low four bits of byte j are number j, the high ones number 16 + j. (q - 8) · d.
@inline(__always)
private func widenQ4_0(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), q = bytes(block + 2)
  store((floats(q & 15) - 8) * d, target)
  store((floats(q &>> 4) - 8) * d, target + 16)
}

/// d, m float16 · q as in Q4_0. q · d + m.
@inline(__always)
private func widenQ4_1(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), m = float16(block + 2), q = bytes(block + 4)
  store(floats(q & 15) * d + m, target)
  store(floats(q &>> 4) * d + m, target + 16)
}

/// d float16 · h [4]: bit j is the fifth bit of number j · q as in Q4_0. (q - 16) · d.
@inline(__always)
private func widenQ5_0(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), q = bytes(block + 6)
  store((floats(settingFifthBit(of: q & 15, from: block + 2)) - 16) * d, target)
  store((floats(settingFifthBit(of: q &>> 4, from: block + 4)) - 16) * d, target + 16)
}

/// d, m float16 · h, q as in Q5_0. q · d + m.
@inline(__always)
private func widenQ5_1(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), m = float16(block + 2), q = bytes(block + 8)
  store(floats(settingFifthBit(of: q & 15, from: block + 4)) * d + m, target)
  store(floats(settingFifthBit(of: q &>> 4, from: block + 6)) * d + m, target + 16)
}

/// d float16 · q [32] int8. q · d.
@inline(__always)
private func widenQ8_0(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block)
  store(signedFloats(block + 2) * d, target)
  store(signedFloats(block + 18) * d, target + 16)
}

/// The values that four bits of IQ4_NL and IQ4_XS stand for.
@inline(__always)
private func looked(up indices: Bytes) -> Vector {
  let values = SIMD16<Int8>(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
  return cpt_signed_floats(cpt_look_up(values, indices))
}

/// d float16 · q as in Q4_0. value[q] · d.
@inline(__always)
private func widenIQ4_NL(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), q = bytes(block + 2)
  store(looked(up: q & 15) * d, target)
  store(looked(up: q &>> 4) * d, target + 16)
}

// MARK: Blocks of 256 numbers

/// s [16]: factor (low four bits) and minimum (high) of every 16 numbers · q [64] · d, m float16.
/// q · (d · factor) - m · minimum.
///
/// Bits 2k, 2k + 1 of q's byte j < 32 are number 32 k + j, those of byte 32 + j number 128 + 32 k + j.
@inline(__always)
private func widenQ2_K(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block + 80), m = float16(block + 82)
  for half in 0..<2 {
    var low = bytes(block + 16 + 32 * half), high = bytes(block + 32 + 32 * half)
    for k in 0..<4 {
      let group = 8 * half + 2 * k, place = target + 16 * group
      let s0 = byte(block, group), s1 = byte(block, group + 1)
      store(floats(low & 3) * (d * Float(s0 & 15)) - m * Float(s0 >> 4), place)
      store(floats(high & 3) * (d * Float(s1 & 15)) - m * Float(s1 >> 4), place + 16)
      low = low &>> 2
      high = high &>> 2
    }
  }
}

/// h [32] · q [64] as in Q2_K · s [12]: a factor of six bits for every 16 numbers · d float16.
/// (q - 4) · (d · (factor - 32)).
///
/// Bit k of h's byte j is the third bit of number 32 k + j. The low four bits of the factors are in the halves of bytes
/// 0-7, the high two of factor i in bits 2 (i / 4) of byte 8 + i % 4.
@inline(__always)
private func widenQ3_K(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block + 108)
  let low = (block + 96).loadUnaligned(as: SIMD8<UInt8>.self), high = (block + 104).loadUnaligned(as: UInt32.self)
  let highBits = unsafeBitCast(SIMD4(high &<< 4, high &<< 2, high, high &>> 2), to: Bytes.self) & 48
  let factors = d * (floats(Bytes(lowHalf: low & 15, highHalf: low &>> 4) | highBits) - 32)
  let lowFlags = bytes(block), highFlags = bytes(block + 16)
  var mask: UInt8 = 1
  for half in 0..<2 {
    var low = bytes(block + 32 + 32 * half), high = bytes(block + 48 + 32 * half)
    for k in 0..<4 {
      let group = 8 * half + 2 * k, place = target + 16 * group
      let bits = Bytes(repeating: mask)
      store((floats(setting(4, of: low & 3, where: lowFlags, has: bits)) - 4) * factors[group], place)
      store((floats(setting(4, of: high & 3, where: highFlags, has: bits)) - 4) * factors[group + 1], place + 16)
      low = low &>> 2
      high = high &>> 2
      mask &<<= 1
    }
  }
}

/// Factor and minimum, of six bits each, of 32 numbers in Q4_K and Q5_K.
///
/// Bytes 0-3 have factors 0-3, bytes 4-7 minima 0-3; their high two bits are those of factors and minima 4-7, whose low
/// four bits are the low and the high halves of bytes 8-11.
@inline(__always)
private func factorAndMinimum(_ s: UnsafeRawPointer, _ i: Int) -> (Float, Float) {
  if i < 4 { return (Float(byte(s, i) & 63), Float(byte(s, i + 4) & 63)) }
  let low = byte(s, i + 4)
  return (Float(low & 15 | byte(s, i - 4) >> 2 & 48), Float(low >> 4 | byte(s, i) >> 2 & 48))
}

/// d, m float16 · s [12] · q [128]. q · (d · factor) - m · minimum, with a factor and a minimum for every 32 numbers.
///
/// The low four bits of q's byte 32 k + j are number 64 k + j, the high ones number 64 k + 32 + j.
@inline(__always)
private func widenQ4_K(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), m = float16(block + 2)
  for k in 0..<4 {
    let place = target + 64 * k
    let low = bytes(block + 16 + 32 * k), high = bytes(block + 32 + 32 * k)
    let (f0, m0) = factorAndMinimum(block + 4, 2 * k), (f1, m1) = factorAndMinimum(block + 4, 2 * k + 1)
    store(floats(low & 15) * (d * f0) - m * m0, place)
    store(floats(high & 15) * (d * f0) - m * m0, place + 16)
    store(floats(low &>> 4) * (d * f1) - m * m1, place + 32)
    store(floats(high &>> 4) * (d * f1) - m * m1, place + 48)
  }
}

/// d, m, s as in Q4_K · h [32]: bit k of byte j is the fifth bit of number 32 k + j · q as in Q4_K.
@inline(__always)
private func widenQ5_K(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), m = float16(block + 2)
  let lowFlags = bytes(block + 16), highFlags = bytes(block + 32)
  var mask: UInt8 = 1
  for k in 0..<4 {
    let place = target + 64 * k
    let low = bytes(block + 48 + 32 * k), high = bytes(block + 64 + 32 * k)
    let (f0, m0) = factorAndMinimum(block + 4, 2 * k), (f1, m1) = factorAndMinimum(block + 4, 2 * k + 1)
    let bit0 = Bytes(repeating: mask), bit1 = Bytes(repeating: mask &<< 1)
    store(floats(setting(16, of: low & 15, where: lowFlags, has: bit0)) * (d * f0) - m * m0, place)
    store(floats(setting(16, of: high & 15, where: highFlags, has: bit0)) * (d * f0) - m * m0, place + 16)
    store(floats(setting(16, of: low &>> 4, where: lowFlags, has: bit1)) * (d * f1) - m * m1, place + 32)
    store(floats(setting(16, of: high &>> 4, where: highFlags, has: bit1)) * (d * f1) - m * m1, place + 48)
    mask &<<= 2
  }
}

/// q [128] · h [64] · s [16] int8: a factor of every 16 numbers · d float16. (q - 32) · (d · factor).
///
/// In each half of 128 numbers, with 64 bytes of q and 32 of h: the low four bits of q's byte j are number j, the high
/// ones number 64 + j; bits 2k, 2k + 1 of h's byte j are the high two bits of number 32 k + j.
@inline(__always)
private func widenQ6_K(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block + 208)
  for half in 0..<2 {
    for part in 0..<2 {
      let place = target + 128 * half + 16 * part, s = block + 192 + 8 * half + part
      let q0 = bytes(block + 64 * half + 16 * part), q1 = bytes(block + 64 * half + 32 + 16 * part)
      let h = bytes(block + 128 + 32 * half + 16 * part)
      @inline(__always) func put(_ k: Int, _ q: Bytes) {
        store((floats(q) - 32) * (d * Float(Int8(bitPattern: byte(s, 2 * k)))), place + 32 * k)
      }
      put(0, q0 & 15 | h &<< 4 & 48)
      put(1, q1 & 15 | h &<< 2 & 48)
      put(2, q0 &>> 4 | h & 48)
      put(3, q1 &>> 4 | h &>> 2 & 48)
    }
  }
}

/// d float16 · h [2] · l [4] · q [128]. value[q] · (d · (factor - 32)), with a factor of six bits for every 32 numbers.
///
/// The low four bits of factor i are a half of byte i / 2 of l, the high two bits 2i, 2i + 1 of h. Numbers 32 i to
/// 32 i + 31 lie in bytes 16 i to 16 i + 15 of q, as in Q4_0.
@inline(__always)
private func widenIQ4_XS(_ block: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
  let d = float16(block), h = (block + 2).loadUnaligned(as: UInt16.self)
  for i in 0..<8 {
    let low = byte(block + 4, i / 2) >> (i % 2 == 0 ? 0 : 4) & 15, high = UInt8(truncatingIfNeeded: h >> (2 * i)) & 3
    let factor = d * Float(Int(low | high << 4) - 32)
    let q = bytes(block + 8 + 16 * i), place = target + 32 * i
    store(looked(up: q & 15) * factor, place)
    store(looked(up: q &>> 4) * factor, place + 16)
  }
}
