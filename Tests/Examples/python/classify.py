"""Labels texts with a checkpoint: classify.py LIBRARY CHECKPOINT TEXT..."""

import ctypes
import sys


class Model:
    """A tuned model; LIBRARY is libCPT.so."""

    def __init__(self, library, checkpoint, threads=0):
        self.library = ctypes.CDLL(library)
        self.library.cpt_open.restype = ctypes.c_void_p
        self.library.cpt_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
        self.library.cpt_label.restype = ctypes.c_char_p
        self.library.cpt_label.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.library.cpt_label_count.restype = ctypes.c_size_t
        self.library.cpt_label_count.argtypes = [ctypes.c_void_p]
        self.library.cpt_classify.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t] + [ctypes.c_void_p] * 2
        self.library.cpt_close.argtypes = self.library.cpt_free.argtypes = [ctypes.c_void_p]
        error = ctypes.c_void_p()
        self.model = self.library.cpt_open(checkpoint.encode(), None, threads, ctypes.byref(error))
        if not self.model:
            raise RuntimeError(self.text(error))
        count = self.library.cpt_label_count(self.model)
        self.labels = [self.library.cpt_label(self.model, index).decode() for index in range(count)]

    def text(self, pointer):
        """A text of the library, which is freed."""
        text = ctypes.string_at(pointer).decode()
        self.library.cpt_free(pointer)
        return text

    def classify(self, texts):
        """The probability of each label, for each text."""
        probabilities = (ctypes.c_double * (len(texts) * len(self.labels)))()
        arguments = (ctypes.c_char_p * len(texts))(*[text.encode() for text in texts])
        error = ctypes.c_void_p()
        if self.library.cpt_classify(self.model, arguments, len(texts), probabilities, ctypes.byref(error)) != 0:
            raise RuntimeError(self.text(error))
        size = len(self.labels)
        return [dict(zip(self.labels, probabilities[i * size : (i + 1) * size])) for i in range(len(texts))]

    def close(self):
        self.library.cpt_close(self.model)


if __name__ == "__main__":
    model = Model(sys.argv[1], sys.argv[2])
    for text, shares in zip(sys.argv[3:], model.classify(sys.argv[3:])):
        print(max(shares, key=shares.get), text, sep="\t")
    model.close()
