# Functions for a shell: find PostgreSQL, Redis, Chromium, OpenLDAP, nginx and a provider of single sign-on, or
# install and start them.
# A service that answers already is used as it is; one that is started here ends with stop_services.
# Sets POSTGRESQL_URL (a server in which databases may be made) and CELERY_BROKER_URL.

started_folder=$(mktemp -d)
started_redis=""

install() {
    echo "Installing $*." >&2
    [ -n "${apt_updated:-}" ] || apt-get update -qq
    apt_updated=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_slapd() {
    [ -x /usr/sbin/slapd ] || command -v slapd >/dev/null || install slapd
}

# A real provider for single sign-on; what it is made of is pinned in its package-lock.json.
need_oidc_provider() {
    command -v npm >/dev/null || install nodejs npm
    [ -d tests/signing_in/provider/node_modules/oidc-provider ] ||
        npm ci --prefix tests/signing_in/provider --no-audit --no-fund --silent
}

need_chromium() {
    command -v chromium >/dev/null || install chromium fonts-dejavu-core
}

# nginx serves in the rehearsal; the other two only look at what deploy/ ships for them.
need_for_deploy() {
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || install nginx-light
    command -v systemd-analyze >/dev/null || install systemd
    command -v docker-compose >/dev/null || install docker-compose
}

# Of its package the one program: installed, it would begin to serve.
need_promtool() {
    command -v promtool >/dev/null && return
    [ -n "${apt_updated:-}" ] || apt-get update -qq
    apt_updated=yes
    echo "Fetching promtool." >&2
    (cd "$started_folder" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb prometheus) >/dev/null 2>&1
    export PATH="$PATH:$started_folder/prometheus/usr/bin"
}

postgresql_answers() {
    command -v psql >/dev/null && psql -qtA "$1" -c "SELECT 1" >/dev/null 2>&1
}

need_postgresql() {
    POSTGRESQL_URL=postgres://postgres@127.0.0.1:5432/postgres
    if postgresql_answers "$POSTGRESQL_URL"; then
        export POSTGRESQL_URL
        return
    fi
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || install postgresql
    postgresql_bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    POSTGRESQL_URL=postgres://postgres@127.0.0.1:54329/postgres
    chmod 755 "$started_folder"
    mkdir "$started_folder/postgresql"
    chown postgres "$started_folder/postgresql"
    as_postgres "$postgresql_bin/initdb" -D "$started_folder/postgresql/data" --auth=trust -U postgres >/dev/null
    as_postgres "$postgresql_bin/pg_ctl" -D "$started_folder/postgresql/data" -w \
        -l "$started_folder/postgresql/log" -o "-p 54329 -c listen_addresses=127.0.0.1 -k $started_folder/postgresql" \
        start >/dev/null
    postgresql_answers "$POSTGRESQL_URL" || { cat "$started_folder/postgresql/log" >&2; return 1; }
    export POSTGRESQL_URL
}

# The server refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

need_redis() {
    CELERY_BROKER_URL=redis://127.0.0.1:6379/15
    command -v redis-cli >/dev/null || install redis-server
    if [ "$(redis-cli -p 6379 ping 2>/dev/null)" != PONG ]; then
        CELERY_BROKER_URL=redis://127.0.0.1:63799/15
        redis-server --port 63799 --bind 127.0.0.1 --save "" --appendonly no --dir "$started_folder" >/dev/null &
        started_redis=$!
        for _ in $(seq 50); do
            [ "$(redis-cli -p 63799 ping 2>/dev/null)" = PONG ] && break
            sleep 0.1
        done
    fi
    export CELERY_BROKER_URL
}

stop_services() {
    if [ -d "$started_folder/postgresql/data" ]; then
        as_postgres "$postgresql_bin/pg_ctl" -D "$started_folder/postgresql/data" -m fast stop >/dev/null || true
    fi
    [ -z "$started_redis" ] || kill "$started_redis" 2>/dev/null || true
    rm -rf "$started_folder"
}
