#!/bin/sh
# Gives the image to an environment: its tag in the registry. The machines there run what has their tag.
set -eu
repository=${IMAGE%@*}
skopeo copy --quiet --preserve-digests \
  --src-tls-verify="${REGISTRY_TLS_VERIFY:-true}" --dest-tls-verify="${REGISTRY_TLS_VERIFY:-true}" \
  "docker://$IMAGE" "docker://$repository:$WFEXEC_ENVIRONMENT"
echo "$IMAGE is now $repository:$WFEXEC_ENVIRONMENT"
echo "running=$repository:$WFEXEC_ENVIRONMENT" >>"$WFEXEC_OUTPUT"
