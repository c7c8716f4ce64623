/// The largest relative difference, over random directions v, between gradient · v and the slope of `loss` along v.
///
/// The slope is the five-point difference (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, whose error is h⁴ f⁗ / 30;
/// differences are relative to |gradient| |v|, since a direction may be nearly orthogonal to the gradient.
package func gradientError(
  at x: [Float], gradient: [Float], step h: Float = 0.02, directions: Int = 5, seed: UInt64 = 1,
  loss: ([Float]) -> Double
) -> Double {
  precondition(x.count == gradient.count)
  var generator = TestGenerator(seed: seed)
  var worst = 0.0
  for _ in 0..<directions {
    let v = generator.floats(x.count)
    let length = v.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let gradientLength = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    func f(_ t: Float) -> Double { loss(zip(x, v).map { $0 + t * $1 }) }
    let slope = (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * Double(h))
    let expected = zip(gradient, v).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    worst = max(worst, abs(slope - expected) / max(gradientLength * length, 1e-30) * Double(x.count).squareRoot())
  }
  return worst
}

/// |a - b| / |b|, Euclidean.
package func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count, "\(a.count) values against \(b.count)")
  let difference = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
  let size = b.reduce(0.0) { $0 + Double($1) * Double($1) }
  return (difference / max(size, 1e-60)).squareRoot()
}

/// Σ a · b in double precision.
package func dot(_ a: [Float], _ b: [Float]) -> Double {
  zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
}
