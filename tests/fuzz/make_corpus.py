#!/usr/bin/env python3
"""Makes the seeds of fuzz_checkpoint: each at most 2 kB, a letter (see fuzz_checkpoint.c) and then
a zip, a pickle or a data.pkl. Needs ../golden only."""
import os
import pickle
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
CORPUS = os.path.join(HERE, "corpus_checkpoint")


class Storage:
    """Pickled as a storage by its key."""

    def __init__(self, kind, key, count):
        self.id = ("storage", Name(f"torch {kind}"), key, "cpu", count)


class Name:
    """Pickled as a GLOBAL, "module name", of something that need not exist here."""

    def __init__(self, text):
        self.text = text


def encode(value, out):
    """Protocol 2, as torch writes it but without memo; enough for tensors in dictionaries."""
    if isinstance(value, Name):
        out += b"c" + value.text.replace(" ", "\n").encode() + b"\n"
    elif isinstance(value, Storage):
        encode(value.id, out)
        out += b"Q"
    elif isinstance(value, dict):
        out += b"}("
        for pair in value.items():
            for item in pair:
                encode(item, out)
        out += b"u"
    elif isinstance(value, tuple):
        out += b"("
        for item in value:
            encode(item, out)
        out += b"t"
    elif isinstance(value, list):  # a call: name, arguments
        encode(value[0], out)
        encode(tuple(value[1:]), out)
        out += b"R"
    else:
        out += pickle.dumps(value, 2)[2:-1]


def tensor(kind, key, count, offset, shape, stride):
    return [Name("torch._utils _rebuild_tensor_v2"), Storage(kind, key, count), offset, shape,
            stride, False, [Name("collections OrderedDict")]]


def data_pickle(value):
    out = bytearray(b"\x80\x02")
    encode(value, out)
    return bytes(out + b".")


def write(name, letter, data):
    assert len(data) < 2000, (name, len(data))
    with open(os.path.join(CORPUS, name), "wb") as out:
        out.write(letter + data)


if __name__ == "__main__":
    os.makedirs(CORPUS, exist_ok=True)
    plain = {"module.w": tensor("FloatStorage", "0", 16, 1, (2, 3), (3, 1)),
             "module.count": tensor("LongStorage", "1", 8, 0, (), ())}
    views = {"t": tensor("HalfStorage", "0", 32, 2, (3, 2), (1, 3)),
             "s": tensor("HalfStorage", "0", 32, 0, (4,), (5,)),
             "b": tensor("BFloat16Storage", "1", 32, 0, (2, 1, 2, 1), (2, 9, 1, 1)),
             "p": [Name("torch._utils _rebuild_parameter"),
                   tensor("HalfStorage", "0", 32, 9, (), ()), True, None]}
    training = {"epoch": 3, "model_state_dict": plain, "loss": [Name("torch.nn MSELoss")],
                "optimizer_state_dict": {"state": {0: {"step": 1}}}, "loss_train": (0.5, 0.25)}
    write("data_plain", b"D", data_pickle(plain))
    write("data_views", b"D", data_pickle(views))
    write("data_training", b"D", data_pickle(training))
    write("data_double", b"D", data_pickle({"state_dict": {
        "d": tensor("DoubleStorage", "1", 8, 0, (8,), (1,))}}))
    for protocol in (2, 4, 5):
        with open(os.path.join(GOLDEN, f"pickle_protocol{protocol}.pkl"), "rb") as file:
            write(f"pickle_{protocol}", b"P", file.read())
    with zipfile.ZipFile(os.path.join(CORPUS, "new"), "w") as out:
        for name, data in (("z/data.pkl", data_pickle({"w": tensor("FloatStorage", "0", 4, 0, (4,),
                                                                   (1,))})),
                           ("z/byteorder", b"little"), ("z/data/0", b"\0\0\x80\x3f" * 4),
                           ("z/version", b"3\n")):
            out.writestr(zipfile.ZipInfo(name), data)
    with open(os.path.join(CORPUS, "new"), "rb") as file:
        write("zip_plain", b"Z", file.read())
    os.remove(os.path.join(CORPUS, "new"))
