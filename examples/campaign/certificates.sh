#!/bin/sh
# ca.pem, cert.pem and key.pem for the scheduler, the workers and the campaign, valid for a year; files that exist stay.
set -eu
umask 077
for file in ca.pem ca-key.pem cert.pem key.pem; do
    [ ! -e "$file" ] || { echo "$file exists already" >&2; exit 2; }
done
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=sscard campaign CA" -keyout ca-key.pem -out ca.pem
openssl req -newkey rsa:3072 -nodes -subj "/CN=sscard campaign" -keyout key.pem -out request.pem
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 365 -out cert.pem
rm -f request.pem ca.srl
