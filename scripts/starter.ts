/** Makes the starter image `a3s/starter:latest` in the home (A3S_BOX_HOME) unless it is there. */
throw new Error('the starter image cannot be made yet: plugins/images-oci does not export makeStarterImage');
