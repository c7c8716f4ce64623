/// The bytes of a NumPy `.npy` file (format 1.0, C order) that holds float32 numbers of a shape.
///
/// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
package func numPyArray(shape: [Int], values: [Float]) -> [UInt8] {
  let tensor = FloatTensor(name: "", shape: shape, values: values)
  let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
  var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(sizes)), }"
  let prefixLength = 10
  while (prefixLength + header.utf8.count + 1) % 64 != 0 { header += " " }
  header += "\n"
  let length = header.utf8.count
  return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(header.utf8)
    + tensor.bytes
}
