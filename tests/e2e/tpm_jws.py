#!/usr/bin/python3
"""tpm_jws.py DOCUMENT PUBLIC.pem HOST NONCE: check a signed attestation with python3-cryptography."""
import base64, json, sys, time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


def part(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


document, public, host, nonce = sys.argv[1:]
header, payload, signature = open(document).read().strip().split(".")
key = serialization.load_pem_public_key(open(public, "rb").read())
signed, raw, alg = f"{header}.{payload}".encode(), part(signature), json.loads(part(header))["alg"]
if alg == "ES256":
    half = len(raw) // 2
    der = encode_dss_signature(*(int.from_bytes(x, "big") for x in (raw[:half], raw[half:])))
    key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
else:
    assert alg == "EdDSA"
    key.verify(raw, signed)
claims = json.loads(part(payload))
assert claims["iat"] <= time.time() + 1 and claims["exp"] - claims["iat"] == 600
assert host == "" or claims["sub"] == host
ours = claims["vmcrypt"]
assert ours["trusted"] is True and ours["nonce"] == nonce and len(ours["pcrs"]["sha256"]) == 12
