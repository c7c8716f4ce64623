/// The candidate most similar to a misspelt word; nil if none is close.
///
/// Close means an edit distance (insertions, deletions, substitutions, swaps of neighbours) of at most a third of the
/// word's length, and at least one.
package func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
  let limit = max(1, (word.count + 1) / 3)
  let length = word.lowercased().count
  // The distance is at least the difference of the lengths.
  let scored = candidates.filter { abs($0.lowercased().count - length) <= limit }.map {
    (distance: editDistance(Array(word.lowercased()), Array($0.lowercased())), name: $0)
  }
  guard let best = scored.min(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }), best.distance <= limit else {
    return nil
  }
  return best.name
}

/// `; did you mean "name"?` for the nearest candidate, or `; expected one of …`.
package func suggestion(for word: String, among candidates: [String]) -> String {
  if let name = nearest(to: word, among: candidates) { return "; did you mean \"\(name)\"?" }
  return "; expected one of \(candidates.joined(separator: ", "))"
}

private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var beforePrevious: [Int] = []
  var previous = Array(0...b.count)
  for i in 1...a.count {
    var current = [i]
    for j in 1...b.count {
      let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      var best = min(previous[j] + 1, current[j - 1] + 1, substitution)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, beforePrevious[j - 2] + 1) }
      current.append(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.count]
}
