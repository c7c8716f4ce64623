import Diagnostics
import Reporting
import Testing

@Suite struct HTMLTests {
  @Test func textAndAttributesAreEscaped() {
    let text = "<script>alert(\"1 & 2\")</script>"
    let page = HTML.element("p", attributes: [("title", text), ("class", "")], children: [.text(text)])
    #expect(
      page.markup == "<p title=\"&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;\">"
        + "&lt;script&gt;alert(\"1 &amp; 2\")&lt;/script&gt;</p>")
  }

  /// A zero, an escape, a carriage return; what is no character. Line breaks and tabs stay. Those without a picture are
  /// shown by their numbers.
  @Test func whatNoPageMayHoldIsShownOtherwise() {
    #expect(HTML.text("\0\u{1B}\r|\u{FFFF}|\n\t").markup == "␀␛␍|\u{FFFD}|\n\t")
    for scalar in ["\u{7F}", "\u{9B}", "\u{200B}", "\u{2028}", "\u{202E}", "\u{2066}", "\u{FEFF}"] as [Unicode.Scalar] {
      let shown = "&lt;" + codePoint(scalar).dropFirst().dropLast() + "&gt;"
      let page = HTML.element("p", attributes: [("title", String(scalar))], children: [.text(String(scalar))])
      #expect(page.markup == "<p title=\"\(shown)\">\(shown)</p>")
    }
  }

  @Test func everyElementIsClosed() {
    let empty = HTML.element("td", attributes: [], children: [])
    let meta = HTML.element("meta", attributes: [("charset", "utf-8")], children: [])
    #expect(HTML.group([empty, meta, .group([])]).markup == "<td></td><meta charset=\"utf-8\"/>")
  }
}
