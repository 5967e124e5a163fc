"""What the programs of OSS put: keys with characters that have a meaning elsewhere, and contents of every size that matters."""
# in the order of their bytes
STRANGE = sorted(["strange/" + k for k in (
    "plain", "a b", "a+b", "a%2Fb", "100%", "#hash", "?q=1&r=2", "x&y", "<tag>\"'", "dots/../up", "dots/./here", "two//slashes", "end/", "semi;colon:at@",
    "comma,=equals", "[glob]*", "back\\slash", "中文 é 🎉", "tilde~!'()*", "$dollar^`{|}", "long" + "x" * 1000, "new\nline", "tab\there", " blank ")],
    key=lambda k: k.encode())
# XML 1.0 has no place for these: only with encoding-type=url they can be listed
CONTROL = ["control/\x01one", "control/\x1fthirty-one"]
CONTENTS = {"empty": b"", "one": b"x", "text": "Zeile\n中文\r\n".encode(), "every-byte": bytes(range(256)), "zeros": bytes(5000),
            "large": bytes((i * i + (i >> 7)) & 255 for i in range(1000)) * 700}
