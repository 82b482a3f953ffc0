# The image of every Airflow component and of the command `custody`; DAGs and plugins are mounted.
# Pinned by tag. To pin the digest too: docker buildx imagetools inspect apache/airflow:3.3.2-python3.12
FROM apache/airflow:3.3.2-python3.12

# Airflow would write a file with all its settings, secrets included, where it finds none.
# Workers import once what each task would else import anew: custody_airflow/preload.py.
# A volume begins as a copy of the directory it is mounted on: these are for the user airflow only.
USER root
RUN echo "# All settings are in the environment." > /opt/airflow/airflow.cfg \
    && install --directory /opt/airflow/config \
    && echo "import custody_airflow.preload" > /opt/airflow/config/airflow_local_settings.py \
    && install --directory --owner=airflow --group=root --mode=0700 /opt/custody /opt/airflow/records /var/lib/custody \
        /var/lib/custody/root-key /var/lib/custody/key-ring /var/lib/custody/secret-store \
        /var/lib/custody/certificates /var/lib/custody/journal /var/lib/custody/log \
        /var/lib/custody/notices /var/lib/custody/records
USER airflow

# An environment of its own holds exactly the lock, as on every other machine; the one of the base image
# has further providers with other versions. Nothing is installed that has no digest in the lock.
ENV VIRTUAL_ENV=/opt/custody/venv \
    PATH=/opt/custody/venv/bin:$PATH \
    PYTHONPATH=/opt/airflow/include
COPY --chown=airflow:root requirements.txt /opt/custody/
RUN uv venv --python "$(command -v python3)" /opt/custody/venv \
    && uv pip sync --no-cache --require-hashes --compile-bytecode /opt/custody/requirements.txt

COPY --chown=airflow:root pyproject.toml README.md /opt/airflow/
COPY --chown=airflow:root include /opt/airflow/include
RUN uv pip install --no-cache --no-deps --no-build-isolation --editable /opt/airflow \
    && python -m compileall -q /opt/airflow/include
