import COpenBLAS

/// Sixteen floats: one AVX-512 register, two AVX registers, or four NEON or SSE registers.
typealias Vector = SIMD16<Float>

let vectorWidth = 16

let laneNumbers = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/// A count rounded up to whole vectors.
func roundedUp(_ count: Int) -> Int { (count + vectorWidth - 1) / vectorWidth * vectorWidth }

@inline(always)
func load(_ pointer: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@inline(always)
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
}

/// The first `count` < 16 floats, the rest filled with `padding`.
@inline(always)
func load(_ pointer: UnsafePointer<Float>, count: Int, padding: Float) -> Vector {
  var vector = Vector(repeating: padding)
  for lane in 0..<count { vector[lane] = pointer[lane] }
  return vector
}

@inline(always)
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, count: Int) {
  for lane in 0..<count { pointer[lane] = vector[lane] }
}

// A closure of more than a few operations is not inlined into these loops, and a call passes its vectors in pieces:
// the activations took twice as long. Pass an `@inline(always)` function instead.

/// a · b + c, in one instruction if the machine has one.
@inline(always)
func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  cpt_multiply_add(a, b, c)
}

@inline(always)
private func multiplyAdd(_ a: Vector, _ b: Float, _ c: Vector) -> Vector { multiplyAdd(a, Vector(repeating: b), c) }

@inline(always)
private func multiplyAdd(_ a: Vector, _ b: Float, _ c: Float) -> Vector {
  multiplyAdd(a, Vector(repeating: b), Vector(repeating: c))
}

@inline(always)
private func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Float) -> Vector { multiplyAdd(a, b, Vector(repeating: c)) }

/// The sum of the lanes; the standard library adds them one by one.
@inline(always)
func sumOfLanes(_ v: Vector) -> Float {
  let eight = v.lowHalf + v.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two.x + two.y
}

/// target[i] = transform(a[i]) for i < count.
@inline(always)
func map(
  _ count: Int, _ a: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, _ transform: (Vector) -> Vector
) {
  var i = 0
  while i + vectorWidth <= count {
    store(transform(load(a + i)), target + i)
    i += vectorWidth
  }
  if i < count { store(transform(load(a + i, count: count - i, padding: 0)), target + i, count: count - i) }
}

/// target[i] = transform(a[i], b[i]) for i < count.
@inline(always)
func map(
  _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>,
  _ transform: (Vector, Vector) -> Vector
) {
  var i = 0
  while i + vectorWidth <= count {
    store(transform(load(a + i), load(b + i)), target + i)
    i += vectorWidth
  }
  if i < count {
    let rest = count - i
    store(
      transform(load(a + i, count: rest, padding: 0), load(b + i, count: rest, padding: 0)), target + i, count: rest)
  }
}

/// target[i] = transform(a[i], b[i], c[i]) for i < count.
@inline(always)
func map(
  _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
  into target: UnsafeMutablePointer<Float>, _ transform: (Vector, Vector, Vector) -> Vector
) {
  var i = 0
  while i + vectorWidth <= count {
    store(transform(load(a + i), load(b + i), load(c + i)), target + i)
    i += vectorWidth
  }
  if i < count {
    let rest = count - i
    let last = transform(
      load(a + i, count: rest, padding: 0), load(b + i, count: rest, padding: 0), load(c + i, count: rest, padding: 0))
    store(last, target + i, count: rest)
  }
}

/// x[i] += slope · (start + i) for i < count.
func addRamp(_ count: Int, _ x: UnsafeMutablePointer<Float>, slope: Float, from start: Float) {
  let lanes = Vector(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  var i = 0
  while i + vectorWidth <= count {
    store(load(x + i) + (lanes + (start + Float(i))) * slope, x + i)
    i += vectorWidth
  }
  while i < count {
    x[i] += slope * (start + Float(i))
    i += 1
  }
}

/// Σ term(a[i], b[i]) for i < count; `term(0, 0)` must be 0.
@inline(always)
func sum(
  _ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ term: (Vector, Vector) -> Vector
) -> Float {
  var total = Vector(repeating: 0)
  var i = 0
  while i + vectorWidth <= count {
    total += term(load(a + i), load(b + i))
    i += vectorWidth
  }
  if i < count {
    total += term(load(a + i, count: count - i, padding: 0), load(b + i, count: count - i, padding: 0))
  }
  return sumOfLanes(total)
}

/// The largest of count > 0 floats.
@inline(always)
func maximum(_ count: Int, _ a: UnsafePointer<Float>) -> Float {
  var largest = Vector(repeating: -.infinity)
  var i = 0
  while i + vectorWidth <= count {
    let x = load(a + i)
    largest = largest.replacing(with: x, where: x .> largest)
    i += vectorWidth
  }
  let eight = pointwiseMax(largest.lowHalf, largest.highHalf)
  let four = pointwiseMax(eight.lowHalf, eight.highHalf)
  var result = four.max()
  while i < count {
    result = max(result, a[i])
    i += 1
  }
  return result
}

/// e^x to 2 units in the last place; x below -70 gives 0, x above 88 a number above 1.6e38, never inf.
///
/// Numbers below 4e-31 do not change a float32 sum, and products with them are subnormal and a hundred times slower, as
/// would often happen with ALiBi's distant keys.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2, e^x = 2^n e^r; e^r by the polynomial of Cephes `expf`. Rounding to n is done by
/// adding and subtracting 1.5 · 2²³: `rounded()` and float-to-integer conversions of SIMD types do not vectorise.
@inline(always)
func exponential(_ x: Vector) -> Vector {
  let low = Vector(repeating: -87.3), high = Vector(repeating: 88.3)
  var y = x.replacing(with: low, where: x .< low)
  y = y.replacing(with: high, where: y .> high)
  let magic = Vector(repeating: 12_582_912)
  let shifted = multiplyAdd(y, 1.442695041, magic)
  let n = shifted - magic
  let r = multiplyAdd(n, 2.12194440e-4, multiplyAdd(n, -0.693359375, y))
  var p = multiplyAdd(r, 1.9875691500e-4, 1.3981999507e-3)
  p = multiplyAdd(p, r, 8.3334519073e-3)
  p = multiplyAdd(p, r, 4.1665795894e-2)
  p = multiplyAdd(p, r, 1.6666665459e-1)
  p = multiplyAdd(p, r, 5.0000001201e-1)
  let e = multiplyAdd(p * r, r, r + 1)
  // The low bits of `shifted` hold n; moved to the exponent field, with its bias of 127, they give 2^n.
  let bits = unsafeBitCast(shifted, to: SIMD16<UInt32>.self)
  let scale = unsafeBitCast((bits &+ 127) &<< 23, to: Vector.self)
  return (e * scale).replacing(with: 0, where: x .< -70)
}

/// 1 / (1 + e^-x).
@inline(always)
func sigmoid(_ x: Vector) -> Vector {
  1 / (1 + exponential(-x))
}

/// target[i] = e^(a[i] - shift) for i < count; returns their sum.
func exponentials(
  _ count: Int, _ a: UnsafePointer<Float>, minus shift: Float,
  into target: UnsafeMutablePointer<Float>
) -> Float {
  var total = Vector(repeating: 0)
  var i = 0
  while i + vectorWidth <= count {
    let e = exponential(load(a + i) - shift)
    store(e, target + i)
    total += e
    i += vectorWidth
  }
  var rest: Float = 0
  if i < count {
    let e = exponential(load(a + i, count: count - i, padding: shift) - shift)
    store(e, target + i, count: count - i)
    for lane in 0..<(count - i) { rest += e[lane] }
  }
  return sumOfLanes(total) + rest
}
