#!/bin/sh
# Writes a dump of the database into a folder, and deletes old ones. A dump that is not complete never has the name of one.
#
#   BACKUP_FOLDER=/srv/backups DATABASE_URL=postgres://… sh deploy/back_up.sh      one dump, for cron or a systemd timer
#   … back_up.sh --every-day-at 02:30         one dump now unless there is one of the last day, then one every day at this time in UTC
#   … back_up.sh --newest-within-minutes N    succeed if there is a dump that is at most N minutes old
#
# BACKUP_DAYS says for how many days dumps are kept; the default is 14. Old dumps are deleted only after a new one was written.
set -eu
umask 077
: "${BACKUP_FOLDER:?set it to the folder of the dumps}"
days=${BACKUP_DAYS:-14}

back_up() {
	: "${DATABASE_URL:?set it to the address of the database}"
	name=$BACKUP_FOLDER/audience-$(date -u +%Y%m%dT%H%M%SZ).dump
	rm -f "$BACKUP_FOLDER"/audience-*.dump.partial
	if ! pg_dump --format=custom --file="$name.partial" "$DATABASE_URL"; then
		rm -f "$name.partial"
		echo "back_up.sh: pg_dump failed, and no dump was written" >&2
		return 1
	fi
	mv "$name.partial" "$name" || return 1
	find "$BACKUP_FOLDER" -maxdepth 1 -name 'audience-*.dump' -mmin "+$((days * 24 * 60))" -exec rm -f {} +
	echo "back_up.sh: wrote $name"
}

has_dump_within_minutes() {
	[ -n "$(find "$BACKUP_FOLDER" -maxdepth 1 -name 'audience-*.dump' -mmin "-$1" | head -n 1)" ]
}

seconds_until() {
	now=$(date -u +%s)
	next=$(date -u -d "$1" +%s)
	[ "$next" -gt "$now" ] || next=$((next + 24 * 60 * 60))
	echo $((next - now))
}

case ${1:-} in
'')
	back_up
	;;
--newest-within-minutes)
	has_dump_within_minutes "$2"
	;;
--every-day-at)
	date -u -d "$2" >/dev/null
	sleeping=
	trap '[ -z "$sleeping" ] || kill "$sleeping"; exit 0' TERM INT
	has_dump_within_minutes 1440 || back_up || true
	while :; do
		sleep "$(seconds_until "$2")" &
		sleeping=$!
		wait "$sleeping"
		back_up || true
	done
	;;
*)
	echo "back_up.sh: $1 is unknown" >&2
	exit 2
	;;
esac
