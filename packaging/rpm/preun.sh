if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable larderd.service larderd.socket > /dev/null 2>&1 || :
    if [ -d /run/systemd/system ]; then
        systemctl stop larderd.socket larderd.service 'larderd@*.service' || :
    fi
fi
