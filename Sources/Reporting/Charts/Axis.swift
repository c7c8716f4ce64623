import FileFormats
import Glibc

/// An axis of a chart: the coordinates of its values and ticks.
package struct Axis {
  /// How values map to coordinates.
  package enum Scale {
    case linear
    /// Logarithmic if all values are positive and the largest is at least 50 times the smallest, else linear.
    case logarithmicIfWide
  }

  package let isLogarithmic: Bool
  /// The smallest and the largest value on it.
  let ends: (lowest: Double, highest: Double)
  /// The values of the ticks, and their labels.
  package let ticks: [(value: Double, text: String)]
  private let start: Double
  private let end: Double

  /// An axis that covers all values.
  ///
  /// - Parameters:
  ///   - values: the values to show; at least one, none beyond ±1e100.
  ///   - start: the coordinate of the axis's smallest value.
  ///   - end: the coordinate of its largest.
  ///   - scale: linear or logarithmic.
  ///   - areWhole: whether only whole numbers are meaningful.
  ///   - arePercentages: whether the labels are percentages.
  package init(
    of values: [Double], from start: Double, to end: Double, scale: Scale = .linear, areWhole: Bool = false,
    arePercentages: Bool = false
  ) {
    self.start = start
    self.end = end
    let lowest = values.min() ?? 0, highest = values.max() ?? 1
    isLogarithmic = scale == .logarithmicIfWide && lowest > 0 && highest >= 50 * lowest
    if isLogarithmic {
      let values = Self.logarithmicTicks(lowest, highest)
      ends = (values.first ?? lowest, values.last ?? highest)
      ticks = Self.spread(values, atMost: 6).map { ($0, Self.text($0)) }
      return
    }
    // If all values are equal, they are in the middle of the axis.
    let size = max(abs(lowest), abs(highest))
    let margin = highest - lowest > 1e-9 * size ? 0 : max(size, areWhole ? 1 : 1e-9)
    let step = Self.niceStep((highest - lowest + 2 * margin) / 5, areWhole: areWhole)
    let first = Int(((lowest - margin) / step + 1e-9).rounded(.down))
    let last = max(first + 1, Int(((highest + margin) / step - 1e-9).rounded(.up)))
    // An axis of whole numbers ends at the extreme values, others at a tick.
    ends = (Double(first) * step, areWhole ? max(highest, Double(first) * step + 1) : Double(last) * step)
    let highestTick = ends.highest
    let digits = max(0, Int((-log10(step) - 1e-9).rounded(.up)))
    ticks = (first...last).map { Double($0) * step }.filter { $0 <= highestTick }.map { tick in
      let text = arePercentages ? fixed(100 * tick, max(0, digits - 2)) + "\u{A0}%" : Self.text(tick, digits: digits)
      return (tick, text)
    }
  }

  /// A logarithmic axis with a tick at each of a few values, if there is room for it.
  ///
  /// - Parameters:
  ///   - values: the values, in increasing order; at least one, all positive.
  ///   - start: the coordinate of the left end, to which the smallest value has a distance.
  ///   - end: the coordinate of the right end.
  package init(at values: [Double], from start: Double, to end: Double) {
    self.start = start
    self.end = end
    isLogarithmic = true
    let lowest = values.first ?? 1, highest = values.last ?? 1
    let ends = highest > lowest ? (log10(lowest), log10(highest)) : (log10(lowest / 2), log10(lowest * 2))
    let margin = highest > lowest ? 0.06 * (ends.1 - ends.0) : 0
    self.ends = (pow(10, ends.0 - margin), pow(10, ends.1 + margin))
    let room = 26 / (end - start) * (ends.1 - ends.0 + 2 * margin)
    var ticks: [(value: Double, text: String)] = []
    for value in values where ticks.last.map({ log10(value / $0.value) >= room }) ?? true {
      ticks.append((value, Self.text(value)))
    }
    self.ticks = ticks
  }

  /// The coordinate of a value.
  package func callAsFunction(_ value: Double) -> Double {
    func along(_ value: Double) -> Double { isLogarithmic ? log10(value) : value }
    let share = (along(value) - along(ends.lowest)) / (along(ends.highest) - along(ends.lowest))
    return start + share * (end - start)
  }

  /// 1, 2 or 5 times a power of ten, at least `step`.
  private static func niceStep(_ step: Double, areWhole: Bool) -> Double {
    let power = pow(10, log10(step).rounded(.down))
    let nice = [1, 2, 5, 10].first { $0 * power >= step * (1 - 1e-9) } ?? 10
    return areWhole ? max(1, nice * power) : nice * power
  }

  /// 1, 2 and 5 times powers of ten, from at most `lowest` to at least `highest`.
  private static func logarithmicTicks(_ lowest: Double, _ highest: Double) -> [Double] {
    let powers = Int(log10(lowest).rounded(.down))...Int(log10(highest).rounded(.up))
    let all = powers.flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
    let first = all.lastIndex { $0 <= lowest * (1 + 1e-9) } ?? 0
    let last = all.firstIndex { $0 >= highest * (1 - 1e-9) } ?? all.count - 1
    return Array(all[first...last])
  }

  /// Only powers of ten if there are enough of them, else all.
  private static func spread(_ ticks: [Double], atMost count: Int) -> [Double] {
    if ticks.count <= count { return ticks }
    let powers = ticks.filter { abs(log10($0) - log10($0).rounded()) < 1e-9 }
    let every = (powers.count + count - 1) / count
    return powers.enumerated().filter { $0.offset % max(1, every) == 0 }.map(\.element)
  }

  private static func text(_ value: Double, digits: Int? = nil) -> String {
    let size = abs(value)
    if digits ?? 0 > 4 || size >= 1e6 || size > 0 && size < 1e-4 {
      // 2.0e-05 as 2e-05: ticks have one digit, or two with a half.
      return scientific(value).replacing(".0e", with: "e")
    }
    return fixed(value, digits ?? max(0, Int((-log10(size) - 1e-9).rounded(.up))))
  }
}
