#!/bin/sh
# Has the web server answer one request, without a port.
set -eu
answer=$(printf 'GET /health HTTP/1.0\r\n\r\n' | ./busybox httpd -i -h www)
echo "$answer"
case $answer in
*"200 OK"*ok) ;;
*) exit 1 ;;
esac
