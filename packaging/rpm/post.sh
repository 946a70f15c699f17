systemd-sysusers larder.conf || :
systemd-tmpfiles --create larder.conf || :
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
fi
if [ "$1" -eq 1 ]; then
    # The distribution's presets decide whether it is enabled.
    systemctl --no-reload preset larderd.service > /dev/null 2>&1 || :
fi
