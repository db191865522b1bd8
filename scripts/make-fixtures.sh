#!/usr/bin/env bash
# Takes the project's fixture captures from real programs in two network namespaces joined by a veth pair. Root; Debian or Ubuntu.
#   scripts/make-fixtures.sh [STORY…]      writes fixtures/pcaps/<protocol>/<story>.pcap and beside it how it was made
set -euo pipefail
cd "$(dirname "$0")/.."
ONLY=("$@")
OUT=$PWD/fixtures/pcaps
need() { command -v "$1" >/dev/null || PKG+=("$2"); }
PKG=(); need nginx nginx-light; need sshd openssh-server; need dnsmasq dnsmasq-base; need dig bind9-dnsutils; need arping arping; need curl curl
need tcpdump tcpdump; need ip iproute2; need openssl openssl; need ssh openssh-client; need ping iputils-ping
[ ${#PKG[@]} -eq 0 ] || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${PKG[@]}" >/dev/null; }
T=$(mktemp -d); A=tffa$$ B=tffb$$
cleanup() { kill $(jobs -p) 2>/dev/null || true; ip netns pids $A 2>/dev/null | xargs -r kill 2>/dev/null || true; ip netns pids $B 2>/dev/null | xargs -r kill 2>/dev/null || true; ip netns del $A 2>/dev/null || true; ip netns del $B 2>/dev/null || true; rm -rf "$T"; }
trap cleanup EXIT
ip netns add $A; ip netns add $B
ip link add tfa0 netns $A type veth peer name tfb0 netns $B
for n in "$A tfa0 1" "$B tfb0 2"; do set -- $n
  ip -n "$1" link set lo up; ip -n "$1" link set "$2" address "02:00:5e:00:53:0$3" up
  ip -n "$1" addr add "198.51.100.$3/24" dev "$2"; ip -n "$1" addr add "2001:db8::$3/64" dev "$2" nodad
  ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_ra=0
done
a() { ip netns exec $A "$@"; }
b() { ip netns exec $B "$@"; }
mkdir -p "$T/www"; head -c 3000 /dev/zero | tr '\0' 'x' > "$T/www/page.txt"; echo '<!doctype html><title>fixture</title>hello' > "$T/www/index.html"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj '/C=AQ/O=Fixture, Inc./CN=server.example' -addext 'subjectAltName=DNS:server.example,DNS:*.example,IP:198.51.100.2' -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=client.example' -keyout "$T/ckey.pem" -out "$T/ccert.pem" 2>/dev/null
cat > "$T/nginx.conf" <<N
daemon off; pid $T/nginx.pid; error_log $T/nginx.log; worker_processes 1;
events {} http { access_log off; client_body_temp_path $T; proxy_temp_path $T; fastcgi_temp_path $T; uwsgi_temp_path $T; scgi_temp_path $T; default_type text/plain;
 server { listen 80; listen [::]:80; server_name server.example; root $T/www; server_tokens off; gzip off;
  location /chunked { add_header X-Story chunked; chunked_transfer_encoding on; ssi on; try_files /index.html =404; } location /gone { return 410; } location /moved { return 301 /page.txt; } location /post { return 204; } } }
N
ssh-keygen -q -t ed25519 -N '' -f "$T/hostkey"
printf 'Port 22\nListenAddress 198.51.100.2\nHostKey %s/hostkey\nPidFile none\nUsePAM no\nPasswordAuthentication no\n' "$T" > "$T/sshd_config"; mkdir -p /run/sshd

# record <protocol> <story> <filter> <commands…>: what passes tfb0 while the commands run
record() { local proto=$1 story=$2 filter=$3; shift 3; local file=$OUT/$proto/$story.pcap
  [ ${#ONLY[@]} -eq 0 ] || printf '%s\n' "${ONLY[@]}" | grep -qx "$story" || return 0
  mkdir -p "$OUT/$proto"; rm -f "$T/cap.pcap"; : > "$T/td.log"; b tcpdump -Z root --immediate-mode -U -i tfb0 -s 0 -w "$T/cap.pcap" "$filter" 2>"$T/td.log" & local td=$!
  for _ in $(seq 50); do grep -q listening "$T/td.log" && break; sleep 0.1; done
  "$@" >/dev/null 2>&1 || true; sleep 0.5; ip netns pids $B | xargs -r ps -o pid=,comm= -p | awk '$2=="tcpdump"{print $1}' | xargs -r kill -INT; wait $td 2>/dev/null || true
  [ "$(tcpdump -nr "$T/cap.pcap" 2>/dev/null | wc -l)" -gt 0 ] || { echo "$proto/$story: nothing was captured (this kernel lacks what it needs?): skipped"; return 0; }
  cp "$T/cap.pcap" "$file"; { echo "# Made by scripts/make-fixtures.sh"; echo "filter: $filter"; declare -f "$1" || echo "$*"; } > "$OUT/$proto/$story.make.txt"
  echo "$proto/$story: $(tcpdump -nr "$file" 2>/dev/null | wc -l) packets"; }


dns_server() { b dnsmasq --no-daemon --no-resolv --no-hosts --conf-file=/dev/null --port=53 --listen-address=198.51.100.2 --bind-interfaces --user=root \
  --address=/www.example/203.0.113.7 --address=/www.example/2001:db8::80 --cname=alias.example,www.example --txt-record=txt.example,"v=spf1 -all","two" \
  --mx-host=example,mail.example,10 --srv-host=_sip._tcp.example,sip.example,5060,1,2 --caa-record=example,0,issue,"ca.example" --dns-rr=https.example,65,0001000001000302683200 --local=/example/ & sleep 0.7; }
dns_queries() { for q in "www.example A" "www.example AAAA" "alias.example A" "txt.example TXT" "example MX" "_sip._tcp.example SRV" "example CAA" "https.example HTTPS" "none.example A"; do a dig +tries=1 +time=2 @198.51.100.2 $q; done; a dig +tcp +tries=1 @198.51.100.2 www.example A txt.example TXT; a dig +dnssec +nsid +tries=1 @198.51.100.2 www.example A; a dig +tries=1 +time=1 @198.51.100.9 lost.example A; }
http_requests() { local u=http://198.51.100.2; a curl -s $u/ $u/page.txt $u/missing; a curl -s -I $u/page.txt; a curl -s -H 'Host: server.example:80' -u user:secret $u/gone; a curl -s -d 'a=1&b=2' $u/post; a curl -s -H 'Expect: 100-continue' --data-binary @"$T/www/page.txt" $u/post; a curl -s -L $u/moved; a curl -s -g 'http://[2001:db8::2]/index.html'; a curl -s --http1.0 $u/; a curl -s $u/chunked; printf 'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /page.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | a timeout 2 bash -c 'exec 3<>/dev/tcp/198.51.100.2/80; cat >&3; cat <&3'; }
tls_hellos() { for v in tls1_2 tls1_3; do echo Q | a timeout 3 openssl s_client -$v -connect 198.51.100.2:443 -servername server.example -alpn h2,http/1.1 -cert "$T/ccert.pem" -key "$T/ckey.pem" -sess_out "$T/s.$v"; echo Q | a timeout 3 openssl s_client -$v -connect 198.51.100.2:443 -servername server.example -sess_in "$T/s.$v"; done; echo Q | a timeout 3 openssl s_client -tls1_2 -cipher AES256-SHA -connect 198.51.100.2:443 -servername nomatch.example; }
ssh_login() { a ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=3 nobody@198.51.100.2 true; a timeout 2 bash -c 'exec 3<>/dev/tcp/198.51.100.2/22; head -1 <&3; printf "SSH-2.0-fixture\r\n" >&3; sleep 0.3'; }
pings() { a ping -c 3 -i 0.2 198.51.100.2; a ping -6 -c 2 -i 0.2 2001:db8::2; a ping -c 1 -W 1 -s 4000 198.51.100.2; a ping -6 -c 1 -W 1 -s 4000 2001:db8::2; a timeout 1 bash -c 'echo x > /dev/udp/198.51.100.2/9'; a timeout 1 bash -c 'echo > /dev/tcp/198.51.100.2/9'; }
arps() { ip -n $A neigh flush all; a arping -c 2 -I tfa0 198.51.100.2; a ping -c 1 198.51.100.2; a arping -c 1 -U -I tfa0 198.51.100.1; }
tunnel() { for n in "$A 1 2" "$B 2 1"; do set -- $n; ip -n "$1" tunnel add tf6 mode sit local "198.51.100.$2" remote "198.51.100.$3" ttl 64; ip -n "$1" addr add "2001:db8:6::$2/64" dev tf6 nodad; ip -n "$1" link set tf6 up; ip -n "$1" tunnel add tfg mode gre local "198.51.100.$2" remote "198.51.100.$3" ttl 64; ip -n "$1" addr add "10.9.0.$2/24" dev tfg; ip -n "$1" link set tfg up; done; a curl -s -g 'http://[2001:db8:6::2]/index.html'; a ping -c 1 10.9.0.2; a curl -s http://10.9.0.2/page.txt; }
vlans() { for n in "$A tfa0 1" "$B tfb0 2"; do set -- $n; ip -n "$1" link add link "$2" name tfv type vlan id 42; ip -n "$1" addr add "10.42.0.$3/24" dev tfv; ip -n "$1" link set tfv up; done; a curl -s http://10.42.0.2/; }

b nginx -c "$T/nginx.conf" & sleep 0.5
b openssl s_server -accept 443 -cert "$T/cert.pem" -key "$T/key.pem" -alpn http/1.1 -Verify 0 -quiet >/dev/null 2>&1 &
b "$(command -v sshd)" -D -f "$T/sshd_config" & dns_server
record dns queries 'port 53' dns_queries
record http requests 'tcp port 80' http_requests
record tls handshakes 'tcp port 443' tls_hellos
record ssh login 'tcp port 22' ssh_login
record icmp pings 'icmp or (icmp6 and ip6[40] < 130) or udp port 9 or tcp port 9 or (ip6 proto 44) or (ip[6:2] & 0x3fff != 0)' pings
record arp who-has 'arp' arps
record tunnels 6in4-gre 'ip proto 41 or ip proto 47' tunnel
record vlan tagged 'vlan' vlans
record mixed everything 'not icmp6 or ip6[40] < 133' bash -c "$(declare -f a b dns_queries http_requests tls_hellos ssh_login pings); A=$A B=$B T=$T; dns_queries; http_requests; tls_hellos; ssh_login; pings"
