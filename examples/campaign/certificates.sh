#!/bin/sh
# ca.pem, cert.pem and key.pem for the scheduler, the workers and the campaign, valid for a year; files that exist stay.
set -eu
umask 077
for file in ca.pem ca-key.pem cert.pem key.pem; do
    [ ! -e "$file" ] || { echo "$file exists already" >&2; exit 2; }
done
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=sscard campaign CA" -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca-key.pem -out ca.pem
openssl req -newkey rsa:3072 -nodes -subj "/CN=sscard campaign" -keyout key.pem -out request.pem
# Python 3.13 and later accept only certificates with these extensions.
cat >extensions.cnf <<'END'
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 365 -extfile extensions.cnf -out cert.pem
rm -f request.pem extensions.cnf ca.srl
