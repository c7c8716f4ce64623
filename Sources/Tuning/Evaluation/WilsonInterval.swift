/// The 95 % confidence interval of a share, from `count` of `total` observations; 0 to 1 if there are none.
///
/// (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n), z = 1.96: it stays within 0 and 1, and is valid for few rows
/// and shares near 0 or 1 (Wilson 1927).
package func wilsonInterval(_ count: Int, of total: Int) -> ClosedRange<Double> {
  guard total > 0 else { return 0...1 }
  let z = 1.959963984540054, n = Double(total), p = Double(count) / n
  let center = p + z * z / (2 * n)
  let half = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
  let scale = 1 + z * z / n
  return max(0, (center - half) / scale)...min(1, (center + half) / scale)
}
