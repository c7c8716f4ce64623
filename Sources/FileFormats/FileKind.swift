/// What a file that should be JSON or safetensors is instead, by its first bytes, and what to do; nil: not known.
///
/// Downloads often leave such files under the expected name.
func otherKind(of start: some Collection<UInt8>) -> String? {
  let utf16 = "UTF-16 text (save it as UTF-8, or download it again)"
  let kinds: [([UInt8], String)] = [
    (Array("version https://git-lfs".utf8), "a git-lfs pointer (run `git lfs pull` in its folder)"),
    (Array("<".utf8), "an HTML or XML page (download the file itself)"),
    (Array("GGUF".utf8), "a GGUF file (give this file itself as the model)"),
    (Array("PK\u{3}\u{4}".utf8), "a zip archive, such as PyTorch's (download or convert to safetensors)"),
    ([0x80, 2], "a Python pickle (download or convert to safetensors)"),
    ([0x80, 3], "a Python pickle (download or convert to safetensors)"),
    ([0x80, 4], "a Python pickle (download or convert to safetensors)"),
    ([0x80, 5], "a Python pickle (download or convert to safetensors)"),
    ([0x89] + Array("HDF".utf8), "an HDF5 file, such as TensorFlow's (download or convert to safetensors)"),
    ([0x1F, 0x8B], "a gzip archive (unpack it)"),
    ([0xFF, 0xFE], utf16), ([0xFE, 0xFF], utf16), (Array("{\0".utf8), utf16), (Array("\0{".utf8), utf16),
  ]
  if start.isEmpty { return "empty" }
  return kinds.first { start.starts(with: $0.0) }?.1
}

/// What a file that should be safetensors is, if it begins like text; nil if it does not.
///
/// Text is what a server sends instead of a file that it does not have or give, such as `{"error": "…"}`.
func textKind(of start: some Collection<UInt8>) -> String? {
  let isText = start.allSatisfy { $0 >= 0x20 && $0 != 0x7F || [0x09, 0x0A, 0x0D].contains($0) }
  guard isText, let line = String(decoding: start, as: UTF8.self).split(whereSeparator: \.isNewline).first else {
    return nil
  }
  return "text, \(JSON.string(String(line)).shortDescription), such as a server's answer instead of the file "
    + "(download the file itself)"
}
